// Programs that attack the sandbox or its judge, as data. Each is asked for f(3), which an honest program answers with
// 6; `status` and `result` say what must come out instead. Leaves out: how they are run (hostile.test.ts).
import type { ProgramStatus } from "../../src/sandbox/sandbox.ts";

export interface HostileProgram {
  readonly name: string;
  readonly program: string;
  /** The statuses that are right; default `ok`. */
  readonly status?: readonly ProgramStatus[];
  /** What the error of f(3) must match; null: a value, but a wrong one; `honest`: 6 after all. */
  readonly result: RegExp | null | "honest";
}

const poison = (lines: string): string => `${lines}\ndef f(x):\n    return 0\n`;

export const hostilePython: readonly HostileProgram[] = [
  // Loops
  {
    name: "endless loop",
    program: "def f(x):\n    while True:\n        pass",
    status: ["timeout"],
    result: /^timeout/,
  },
  {
    name: "endless loop at the top",
    program: "while True:\n    pass",
    status: ["timeout"],
    result: /^(timeout|exit|error|crash|memory): /,
  },
  {
    name: "endless loop that catches everything",
    program:
      "def f(x):\n    while True:\n        try:\n            while True: pass\n        except BaseException:\n            continue",
    status: ["timeout"],
    result: /^timeout/,
  },
  {
    name: "endless loop in finally",
    program: "def f(x):\n    try:\n        while True: pass\n    finally:\n        while True: pass",
    status: ["timeout"],
    result: /^timeout/,
  },
  {
    name: "endless generator",
    program: "import itertools\ndef f(x):\n    for i in itertools.count():\n        pass",
    status: ["timeout"],
    result: /^timeout/,
  },
  {
    name: "endless __str__ of an exception",
    program: "class E(Exception):\n    def __str__(self):\n        while True: pass\ndef f(x):\n    raise E()",
    status: ["timeout"],
    result: /^timeout/,
  },
  {
    name: "loop that waits for the clock",
    program: "import time\ndef f(x):\n    end = time.time() + 3600\n    while time.time() < end: pass\n    return 6",
    status: ["ok", "timeout"],
    result: /^timeout/,
  },
  {
    name: "sleep for a day",
    program: "import time\ndef f(x):\n    time.sleep(86400)\n    return 2 * x",
    result: "honest",
  },
  {
    name: "exponential recursion",
    program: "def g(n):\n    return g(n - 1) + g(n - 1) if n else 1\ndef f(x):\n    return g(60)",
    status: ["timeout"],
    result: /^timeout/,
  },

  // Memory
  { name: "one huge list", program: "def f(x):\n    return [0] * 10**9", status: ["memory"], result: /^memory/ },
  {
    name: "growing list",
    program: "def f(x):\n    a = []\n    while True:\n        a.append('x' * 1000000)",
    status: ["memory"],
    result: /^memory/,
  },
  {
    name: "growing list that catches MemoryError",
    program:
      "def f(x):\n    a = []\n    while True:\n        try:\n            a.append(bytearray(10**6))\n        except MemoryError:\n            pass",
    status: ["memory"],
    result: /^memory/,
  },
  {
    name: "string doubled",
    program: "def f(x):\n    s = 'x'\n    while True: s += s",
    status: ["memory"],
    result: /^memory/,
  },
  {
    name: "zip of zeros",
    program: "import zlib\ndef f(x):\n    return zlib.decompress(zlib.compress(bytes(10**6)) , bufsize=10**9)",
    status: ["memory", "ok"],
    result: /memory|not plain|Error/,
  },
  {
    name: "list that shares itself exponentially",
    program: "def f(x):\n    a = [0]\n    for i in range(60): a = [a, a]\n    return a",
    status: ["memory", "timeout"],
    result: /^memory|^timeout/,
  },
  { name: "huge value", program: "def f(x):\n    return 'x' * (5 * 2**20)", result: /larger than/ },
  { name: "huge integer", program: "def f(x):\n    return 1 << (20 * 2**20)", result: /larger than/ },

  // Processes, signals, threads
  {
    name: "fork",
    program: "import os\ndef f(x):\n    while True: os.fork()",
    status: ["ok", "denied"],
    result: /Error|denied/,
  },
  {
    name: "subprocess",
    program: "import subprocess\ndef f(x):\n    return subprocess.check_output(['id'])",
    status: ["ok", "denied"],
    result: /Error|denied/,
  },
  {
    name: "os.system",
    program: "import os\ndef f(x):\n    return os.system('id')",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "os.execv",
    program: "import os\ndef f(x):\n    os.execv('/bin/sh', ['sh'])",
    status: ["ok", "denied"],
    result: /Error|denied/,
  },
  {
    name: "os.kill of itself",
    program: "import os, signal\ndef f(x):\n    os.kill(os.getpid(), signal.SIGKILL)\n    return 6 + x",
    status: ["ok", "denied", "crash", "exit"],
    result: /.|/,
  },
  {
    name: "alarm with a handler",
    program:
      "import signal\ndef h(*a): raise SystemExit\ndef f(x):\n    signal.signal(signal.SIGALRM, h)\n    signal.alarm(1)\n    while True: pass",
    status: ["denied", "timeout", "ok"],
    result: /denied|timeout|Error/,
  },
  {
    name: "interrupt handler that swallows",
    program: "import signal\ndef f(x):\n    signal.signal(signal.SIGINT, lambda *a: None)\n    while True: pass",
    status: ["timeout"],
    result: /^timeout/,
  },
  {
    name: "thread",
    program:
      "import threading\ndef g():\n    while True: pass\ndef f(x):\n    t = threading.Thread(target=g); t.start(); t.join()",
    status: ["ok", "denied"],
    result: /Error|denied/,
  },
  {
    name: "thread pool",
    program:
      "from concurrent.futures import ThreadPoolExecutor\ndef f(x):\n    return ThreadPoolExecutor(2).submit(lambda: 7).result()",
    status: ["ok", "denied"],
    result: /Error|denied/,
  },
  {
    name: "multiprocessing",
    program: "import multiprocessing\ndef f(x):\n    return multiprocessing.Pool(2).map(abs, [1])",
    status: ["ok", "denied"],
    result: /Error|denied/,
  },

  // Files and network
  {
    name: "read a host file",
    program: "def f(x):\n    return open('/etc/passwd').read()",
    result: /FileNotFoundError/,
  },
  {
    name: "walk the file system for host files",
    program:
      "import os\ndef f(x):\n    return [n for d, s, n in os.walk('/') if 'passwd' in n or 'package.json' in n] == []",
    result: null,
  },
  {
    name: "write a file",
    program: "def f(x):\n    open('/tmp/x', 'w').write('x')",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "truncate a file that is opened to read",
    program: "import os\ndef f(x):\n    os.open('/lib/python314.zip', os.O_RDONLY | os.O_TRUNC)",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "remove the standard library",
    program: "import os, sys\ndef f(x):\n    for p in sys.path:\n        if os.path.exists(p): os.remove(p)",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "make a folder",
    program: "import os\ndef f(x):\n    os.mkdir('/evil')",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "change folder",
    program: "import os\ndef f(x):\n    os.chdir('/lib')",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "symbolic link",
    program: "import os\ndef f(x):\n    os.symlink('/', '/tmp/root')",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "close standard output",
    program:
      "import os\ndef f(x):\n    for i in range(3):\n        try: os.close(i)\n        except OSError: pass\n    return 0",
    result: null,
  },
  {
    name: "duplicate over standard output",
    program: "import os\ndef f(x):\n    os.dup2(0, 1)",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "socket",
    program: "import socket\ndef f(x):\n    s = socket.socket(); s.connect(('127.0.0.1', 80))",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "resolve a host name",
    program: "import socket\ndef f(x):\n    return socket.gethostbyname('example.com')",
    status: ["denied", "ok"],
    result: /denied|Error/,
  },
  {
    name: "fetch a URL",
    program: "from urllib.request import urlopen\ndef f(x):\n    return urlopen('http://127.0.0.1:80').read()",
    status: ["denied", "ok", "error"],
    result: /denied|Error/,
  },
  {
    name: "pyodide fetch",
    program: "from pyodide.http import pyfetch, open_url\ndef f(x):\n    return open_url('http://127.0.0.1').read()",
    status: ["denied", "ok", "error"],
    result: /./,
  },

  // Objects of the host
  {
    name: "import js",
    program: "import js\ndef f(x):\n    return js.process.env",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "js eval",
    program: "def f(x):\n    from js import eval\n    return eval('process.exit(1)')",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "run_js",
    program: "from pyodide.code import run_js\ndef f(x):\n    return run_js('process.exit(1)')",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "mount the host",
    program: "import pyodide_js\ndef f(x):\n    pyodide_js.mountNodeFS('/host', '/')",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "constructor of a constructor",
    program:
      "from pyodide.ffi import to_js\ndef f(x):\n    return to_js([1]).constructor.constructor('return process')()",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "proxy of a Python object",
    program: "from pyodide.ffi import create_proxy\ndef f(x):\n    return create_proxy(lambda: 1)",
    status: ["denied"],
    result: /^denied/,
  },
  {
    name: "pyodide's core",
    program: "import _pyodide_core\ndef f(x):\n    return [str(getattr(_pyodide_core, n)) for n in dir(_pyodide_core)]",
    status: ["denied", "ok"],
    result: /.|/,
  },
  {
    name: "js modules through sys.modules",
    program:
      "import sys\ndef f(x):\n    for m in list(sys.modules.values()):\n        if 'Js' in type(m).__name__: m.process.exit(1)\n    return 0",
    status: ["ok", "denied"],
    result: /.|/,
  },
  {
    name: "js proxies through the collector",
    program:
      "import gc\ndef f(x):\n    for o in gc.get_objects():\n        if 'JsProxy' in type(o).__name__: o.constructor\n    return 0",
    status: ["ok", "denied"],
    result: /.|/,
  },
  {
    name: "event loop",
    program: "import asyncio\ndef f(x):\n    return asyncio.run(asyncio.sleep(1))",
    status: ["denied", "ok"],
    result: /./,
  },
  {
    name: "ctypes",
    program: "import ctypes\ndef f(x):\n    return ctypes.CDLL(None).system(b'id')",
    status: ["denied", "ok", "error"],
    result: /./,
  },
  {
    name: "ctypes writes over memory",
    program: "import ctypes\ndef f(x):\n    for a in range(0, 2**31, 65536):\n        ctypes.memset(a, 255, 65536)",
    status: ["denied", "ok", "error", "crash"],
    result: /./,
  },
  {
    name: "ctypes writes far memory in place",
    program:
      "import ctypes\ndef f(x):\n    a = (ctypes.c_char * 65536).from_address(30 * 2**20)\n    for i in range(65536): a[i] = b'x'\n    return 0",
    status: ["denied", "ok", "error", "crash"],
    result: /.|/,
  },
  {
    name: "load a shared library",
    program:
      "import _imp, importlib.machinery as m\ndef f(x):\n    m.ExtensionFileLoader('evil', '/lib/evil.so').load_module()",
    status: ["denied", "ok"],
    result: /denied|Error/,
  },
  {
    name: "crafted bytecode",
    program:
      "def g(): pass\ndef f(x):\n    g.__code__ = g.__code__.replace(co_code=bytes([100, 255, 83, 0] * 50), co_consts=())\n    return g()",
    status: ["ok", "crash", "denied", "timeout"],
    result: /.|/,
  },

  // Ways to end
  { name: "sys.exit", program: "import sys\ndef f(x):\n    sys.exit(0)", status: ["exit"], result: /^exit/ },
  {
    name: "exit at the top",
    program: "raise SystemExit",
    status: ["exit"],
    result: /^(timeout|exit|error|crash|memory): /,
  },
  {
    name: "subclass of SystemExit",
    program: "class E(SystemExit): pass\ndef f(x):\n    raise E(0)",
    status: ["exit"],
    result: /^exit/,
  },
  { name: "os._exit", program: "import os\ndef f(x):\n    os._exit(0)", status: ["exit"], result: /^exit/ },
  {
    name: "os.abort",
    program: "import os\ndef f(x):\n    os.abort()",
    status: ["crash", "exit"],
    result: /^crash|^exit/,
  },
  { name: "BaseException", program: "class E(BaseException): pass\ndef f(x):\n    raise E('6')", result: /^E: 6/ },
  {
    name: "exception that lies about itself",
    program:
      "class E(Exception):\n    @property\n    def __class__(self): return int\n    def __str__(self): return 6\ndef f(x):\n    raise E()",
    result: /^E/,
  },
  { name: "atexit", program: poison("import atexit\natexit.register(print, 'passed 1 of 1')"), result: null },
  {
    name: "faulthandler's segmentation fault",
    program: "import faulthandler\ndef f(x):\n    faulthandler._sigsegv()",
    status: ["ok", "denied", "crash", "exit"],
    result: /./,
  },
  { name: "deep recursion", program: "def f(x):\n    return f(x)", result: /RecursionError/ },
  {
    name: "recursion without a limit",
    program: "import sys\nsys.setrecursionlimit(10**9)\ndef f(x):\n    return f(x)",
    status: ["ok", "crash", "memory"],
    result: /RecursionError|crash|memory/,
  },
  {
    name: "recursion in C",
    program: "def f(x):\n    a = []\n    for i in range(10**5): a = [a]\n    return repr(a)",
    status: ["ok", "crash"],
    result: /RecursionError|crash/,
  },
  {
    name: "comparison recursion in C",
    program: "def f(x):\n    a = []; b = []\n    for i in range(10**5): a = [a]; b = [b]\n    return a == b",
    status: ["ok", "crash"],
    result: /RecursionError|crash/,
  },
  {
    name: "deep source",
    program: `def f(x):\n    return ${"(".repeat(5000)}x${")".repeat(5000)}`,
    status: ["error", "crash", "memory"],
    result: /^(timeout|exit|error|crash|memory): /,
  },
  {
    name: "deep unary operators",
    program: `x = ${"-".repeat(100000)}1\ndef f(x): return 0`,
    status: ["error", "crash", "memory", "ok"],
    result: /.|/,
  },
  {
    name: "deep value",
    program: "def f(x):\n    a = []\n    for i in range(1000): a = [a]\n    return a",
    result: /nested deeper|not plain/,
  },
  {
    name: "value that holds itself",
    program: "def f(x):\n    a = []\n    a.append(a)\n    return a",
    result: /not plain/,
  },

  // Output
  {
    name: "output flood",
    program: "def f(x):\n    while True: print('x' * 1000)",
    status: ["output"],
    result: /^output/,
  },
  {
    name: "error output flood",
    program: "import sys\ndef f(x):\n    while True: sys.stderr.write('x' * 1000)",
    status: ["output"],
    result: /^output/,
  },
  {
    name: "output flood that catches everything",
    program:
      "import os\ndef f(x):\n    while True:\n        try: os.write(1, b'x' * 100000)\n        except BaseException: pass",
    status: ["output"],
    result: /^output/,
  },
  {
    name: "printed result",
    program: poison('print(\'{"kind":"call","index":0,"result":{"value":6}}\\n{"kind":"done"}\')'),
    result: null,
  },
  {
    name: "output that is not UTF-8",
    program: "import os\ndef f(x):\n    os.write(1, bytes(range(128, 256)))\n    return 0",
    result: null,
  },

  // Values that only look right
  {
    name: "equal to everything",
    program:
      "class A:\n    def __eq__(self, o): return True\n    def __hash__(self): return 0\ndef f(x):\n    return A()",
    result: /not plain/,
  },
  {
    name: "subclass of int",
    program:
      "class I(int):\n    def __eq__(self, o): return True\n    __hash__ = int.__hash__\ndef f(x):\n    return I(0)",
    result: /not plain/,
  },
  {
    name: "subclass of str inside a list",
    program:
      "class S(str):\n    def __eq__(self, o): return True\n    __hash__ = str.__hash__\ndef f(x):\n    return [S('6')]",
    result: /not plain/,
  },
  {
    name: "subclass of list",
    program:
      "class L(list):\n    def __iter__(self): return iter([6])\n    def __len__(self): return 1\ndef f(x):\n    return L()",
    result: /not plain/,
  },
  {
    name: "subclass of dict",
    program: "class D(dict):\n    def items(self): return [('a', 6)]\ndef f(x):\n    return D()",
    result: /not plain/,
  },
  {
    name: "lying __class__",
    program:
      "class A:\n    __class__ = int\n    def __int__(self): return 6\n    def __index__(self): return 6\ndef f(x):\n    return A()",
    result: /not plain/,
  },
  {
    name: "buffer that runs code",
    program: "class B:\n    def __buffer__(self, flags):\n        return memoryview(b'6')\ndef f(x):\n    return B()",
    result: /not plain/,
  },
  {
    name: "reduce, json and repr hooks",
    program:
      "class A:\n    def __reduce__(self): return (int, (6,))\n    def __reduce_ex__(self, p): return (int, (6,))\n    def __json__(self): return 6\n    def __repr__(self): return '6'\ndef f(x):\n    return A()",
    result: /not plain/,
  },
  { name: "mock", program: "from unittest.mock import ANY\ndef f(x):\n    return ANY", result: /not plain/ },
  {
    name: "function, generator, module, class",
    program: "import sys\ndef f(x):\n    return [f, (i for i in []), sys, int]",
    result: /not plain/,
  },
  { name: "bytes", program: "def f(x):\n    return b'6'", result: /not plain/ },
  { name: "code object", program: "def f(x):\n    return f.__code__", result: /not plain/ },
  {
    name: "enum that is an int",
    program: "from enum import IntEnum\nclass E(IntEnum):\n    A = 6\ndef f(x):\n    return E.A",
    result: /not plain/,
  },
  { name: "string with half a surrogate pair", program: "def f(x):\n    return '\\ud800'", result: /surrogate/ },
  { name: "true is not 6", program: "def f(x):\n    return True", result: null },
  { name: "the tag of an integer", program: "def f(x):\n    return {'$': 'int', 'value': '6'}", result: null },

  // The harness
  {
    name: "poisoned marshal and json",
    program: poison("import marshal, json\nmarshal.dumps = json.dumps = lambda *a, **k: b'i\\x06\\x00\\x00\\x00'"),
    result: null,
  },
  {
    name: "poisoned builtins",
    program: poison(
      "import builtins\nfor n in ('print', 'repr', 'str', 'int', 'type', 'isinstance', 'len', 'open', 'eval', 'exec', '__import__', 'getattr', 'list', 'dict', 'sorted'):\n    setattr(builtins, n, lambda *a, **k: 6)",
    ),
    result: null,
  },
  { name: "emptied builtins", program: poison("import builtins\nbuiltins.__dict__.clear()"), result: null },
  { name: "emptied sys.modules", program: poison("import sys\nsys.modules.clear()"), result: null },
  {
    name: "replaced module of the program",
    program:
      "import sys, types\nm = types.ModuleType('program')\nm.f = lambda x: 6\nsys.modules['program'] = m\ndef f(x):\n    return 0\n",
    result: null,
  },
  {
    name: "module dictionary with a lying key",
    program:
      "class K(str):\n    def __eq__(self, o): return True\n    def __hash__(self): return hash('f')\nglobals()[K('g')] = lambda x: 6\n",
    result: "honest",
  },
  {
    name: "callable that is not a function",
    program: "class F:\n    def __call__(self, x): return 2 * x\nf = F()",
    result: "honest",
  },
  {
    name: "frames up to the harness",
    program: "import sys\ndef f(x):\n    n = 0; g = sys._getframe()\n    while g: n += 1; g = g.f_back\n    return n",
    result: null,
  },
  {
    name: "traceback to the harness",
    program:
      "def f(x):\n    try: raise ValueError\n    except ValueError as e:\n        t = e.__traceback__; names = []\n        while t: names.append(sorted(t.tb_frame.f_globals)); t = t.tb_next\n        return any('expected' in n for n in names)",
    result: null,
  },
  {
    name: "search memory for the expected value",
    program:
      "import gc\ndef f(x):\n    return [o for o in gc.get_objects() if isinstance(o, dict) and 'expected' in o]",
    result: null,
  },
  {
    name: "trace function",
    program: poison("import sys\nsys.settrace(lambda *a: (_ for _ in ()).throw(SystemExit))"),
    status: ["ok", "exit"],
    result: /exit|Error|/,
  },
  { name: "profile function", program: poison("import sys\nsys.setprofile(lambda *a: 6)"), result: null },
  {
    name: "monitoring",
    program: poison(
      "import sys\nm = sys.monitoring\nm.use_tool_id(0, 'x')\nm.register_callback(0, m.events.PY_RETURN, lambda *a: 6)\nm.set_events(0, m.events.PY_RETURN)",
    ),
    result: null,
  },
  {
    name: "audit hook",
    program: poison("import sys\ndef h(*a): raise RuntimeError('no')\nsys.addaudithook(h)"),
    status: ["ok", "error"],
    result: /.|/,
  },
  {
    name: "import hook",
    program: poison(
      "import sys\nclass H:\n    def find_spec(self, *a): raise SystemExit\nsys.meta_path.insert(0, H())\nsys.path_hooks.clear()\nsys.path.clear()",
    ),
    result: null,
  },
  {
    name: "exception hooks",
    program:
      "import sys\nsys.excepthook = sys.unraisablehook = lambda *a: print('passed')\nsys.stdout = sys.stderr = None\ndef f(x):\n    raise ValueError('no')",
    result: /ValueError/,
  },
  {
    name: "destructors",
    program:
      "class D:\n    def __del__(self): raise SystemExit\nd = D()\ndef f(x):\n    global d\n    d = None\n    return 0",
    result: null,
  },
  {
    name: "collector callbacks",
    program: poison("import gc\ngc.callbacks.append(lambda *a: gc.collect())\ngc.set_threshold(1)"),
    status: ["ok", "timeout"],
    result: /.|/,
  },
  {
    name: "poisoned arithmetic of small integers",
    program: poison(
      "import gc\nfor o in gc.get_referrers(int):\n    pass\ntry:\n    int.__eq__ = lambda *a: True\nexcept TypeError:\n    pass",
    ),
    result: null,
  },
  {
    name: "type dictionary through the collector",
    program: poison(
      "import gc\nd = gc.get_referents(int.__dict__)[0]\nd['__eq__'] = d['__add__'] = lambda *a: True\nd['bit_length'] = lambda *a: 6\nimport sys\nsys._clear_type_cache()",
    ),
    status: ["ok", "crash", "error"],
    result: /.|/,
  },
  {
    name: "seeded random numbers moved on",
    program: poison("import random\nrandom.seed(99)\nrandom.random = lambda: 0.5"),
    result: null,
  },
  {
    name: "changed limits of the interpreter",
    program: poison(
      "import sys, decimal, locale\nsys.setrecursionlimit(50)\nsys.set_int_max_str_digits(640)\ndecimal.getcontext().prec = 2\nsys.setswitchinterval(100)",
    ),
    result: null,
  },
  { name: "changed arguments", program: "def f(x):\n    x = 6\n    return None", result: null },
  { name: "coroutine", program: "async def f(x):\n    return 6", result: /not plain/ },
  {
    name: "null byte",
    program: "def f(x):\n    return 6\n\0",
    status: ["error"],
    result: /^(timeout|exit|error|crash|memory): /,
  },
  {
    name: "form feeds and odd encodings",
    program: "# -*- coding: utf-7 -*-\ndef f(x):\n    return 0 +AAo-\n",
    status: ["error", "ok"],
    result: /.|/,
  },
];
