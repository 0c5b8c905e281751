// A seccomp filter for sandbox processes, as the bytes that bubblewrap takes: no sockets, no new processes, no tracing,
// mounting, namespaces, kernel modules or keys. Threads stay allowed, since Node needs them. Leaves out: applying it
// (bubblewrap.ts) and machines other than x64 and arm64.

/** System call numbers by name, for each architecture (arch/x86/entry/syscalls, include/uapi/asm-generic/unistd.h). */
const denied: Readonly<Record<"x64" | "arm64", Readonly<Record<string, number>>>> = {
  x64: {
    socket: 41,
    connect: 42,
    accept: 43,
    bind: 49,
    listen: 50,
    socketpair: 53,
    accept4: 288,
    fork: 57,
    vfork: 58,
    ptrace: 101,
    personality: 135,
    mknod: 133,
    mknodat: 259,
    pivot_root: 155,
    chroot: 161,
    mount: 165,
    umount2: 166,
    swapon: 167,
    reboot: 169,
    init_module: 175,
    delete_module: 176,
    finit_module: 313,
    kexec_load: 246,
    kexec_file_load: 320,
    add_key: 248,
    request_key: 249,
    keyctl: 250,
    unshare: 272,
    setns: 308,
    perf_event_open: 298,
    name_to_handle_at: 303,
    open_by_handle_at: 304,
    process_vm_readv: 310,
    process_vm_writev: 311,
    bpf: 321,
    userfaultfd: 323,
    io_uring_setup: 425,
    open_tree: 428,
    move_mount: 429,
    fsopen: 430,
    fsmount: 432,
    pidfd_open: 434,
    pidfd_getfd: 438,
    mount_setattr: 442,
  },
  arm64: {
    socket: 198,
    socketpair: 199,
    bind: 200,
    listen: 201,
    accept: 202,
    connect: 203,
    accept4: 242,
    ptrace: 117,
    personality: 92,
    mknodat: 33,
    umount2: 39,
    mount: 40,
    pivot_root: 41,
    chroot: 51,
    reboot: 142,
    init_module: 105,
    delete_module: 106,
    finit_module: 273,
    kexec_load: 104,
    kexec_file_load: 294,
    swapon: 224,
    add_key: 217,
    request_key: 218,
    keyctl: 219,
    unshare: 97,
    setns: 268,
    perf_event_open: 241,
    name_to_handle_at: 264,
    open_by_handle_at: 265,
    process_vm_readv: 270,
    process_vm_writev: 271,
    bpf: 280,
    userfaultfd: 282,
    io_uring_setup: 425,
    open_tree: 428,
    move_mount: 429,
    fsopen: 430,
    fsmount: 432,
    pidfd_open: 434,
    pidfd_getfd: 438,
    mount_setattr: 442,
  },
};
const cloneCall = { x64: 56, arm64: 220 } as const;
const clone3Call = 435;
const auditArchitecture = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;

const returnAllow = 0x7fff0000;
const returnError = 0x00050000; // with the error number in the low bits
const [EPERM, ENOSYS] = [1, 38];
const CLONE_THREAD = 0x00010000;
/** Set in the numbers of x32, a second set of calls on x64. */
const x32Bit = 0x40000000;

// Classic BPF: load a 32-bit word of the call's description, jump on it, return.
const [load, jumpEqual, jumpAtLeast, jumpSet, giveBack] = [0x20, 0x15, 0x35, 0x45, 0x06];
const [numberAt, architectureAt, firstArgumentAt] = [0, 4, 16];

/** The filter for this architecture, or null where there is none. */
export function seccompFilter(architecture: string): Uint8Array | null {
  if (architecture !== "x64" && architecture !== "arm64") return null;
  const instructions: (readonly [code: number, ifTrue: number, ifFalse: number, value: number])[] = [
    [load, 0, 0, architectureAt],
    [jumpEqual, 1, 0, auditArchitecture[architecture]],
    [giveBack, 0, 0, returnError | EPERM],
    [load, 0, 0, numberAt],
    [jumpAtLeast, 0, 1, x32Bit],
    [giveBack, 0, 0, returnError | EPERM],
    // The C library falls back from clone3, whose flags a filter cannot see, to clone.
    [jumpEqual, 0, 1, clone3Call],
    [giveBack, 0, 0, returnError | ENOSYS],
  ];
  for (const number of Object.values(denied[architecture])) {
    instructions.push([jumpEqual, 0, 1, number], [giveBack, 0, 0, returnError | EPERM]);
  }
  instructions.push(
    [jumpEqual, 0, 3, cloneCall[architecture]],
    [load, 0, 0, firstArgumentAt],
    [jumpSet, 1, 0, CLONE_THREAD],
    [giveBack, 0, 0, returnError | EPERM],
    [giveBack, 0, 0, returnAllow],
  );
  const bytes = Buffer.alloc(instructions.length * 8);
  for (const [index, [code, ifTrue, ifFalse, value]] of instructions.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(value >>> 0, index * 8 + 4);
  }
  return bytes;
}
