// The page: a bar that says whether it is live, and the view that the address names.
import { type JSX, render } from "preact";
import { useEffect, useState } from "preact/hooks";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import { ComparePage } from "./compare-page.tsx";
import { Keyboard } from "./keyboard.tsx";
import { startLive, useLive } from "./live.ts";
import { MapPage } from "./map-page.tsx";
import { QuestionPage } from "./question-page.tsx";
import { QuestionsPage } from "./questions-page.tsx";
import { link, type Route, useRoute } from "./router.ts";
import { RunPage } from "./run-page.tsx";
import { RunsPage } from "./runs-page.tsx";
import { StepPage } from "./step-page.tsx";
import { applyTheme, chooseTheme, chosenTheme, type Theme } from "./theme.ts";
import { ProblemNote } from "./ui.tsx";

function App(): JSX.Element {
  const route = useRoute();
  const { problem } = useLive();
  const [help, setHelp] = useState(false);
  const view = route.path.join("/");
  useEffect(() => {
    document.title = route.path.length === 0 ? "sqlm" : `${route.path.slice(1, 2).join("") || route.path[0]} · sqlm`;
    scrollTo(0, 0);
  }, [view]);
  return (
    <>
      <Bar openHelp={() => setHelp(true)} />
      {problem !== null && (
        <div class="banner">
          <ProblemNote problem={problem} />
        </div>
      )}
      <View key={view} route={route} />
      <Keyboard open={help} setOpen={setHelp} />
    </>
  );
}

function View({ route }: { route: Route }): JSX.Element {
  const [view, run, part, ...rest] = route.path;
  const [a, b] = rest.map(Number);
  if (view === undefined) return <RunsPage route={route} />;
  if (view === "compare") return <ComparePage route={route} />;
  if (view === "run" && run !== undefined) {
    if (part === undefined) return <RunPage run={run} />;
    if (part === "questions") return <QuestionsPage run={run} route={route} />;
    if (part === "map") return <MapPage run={run} />;
    if (part === "step" && Number.isInteger(a)) return <StepPage run={run} step={a} />;
    if (part === "question" && Number.isInteger(a) && Number.isInteger(b))
      return <QuestionPage run={run} step={a} position={b} />;
  }
  return (
    <main>
      <h1>There is nothing here</h1>
      <p>
        <a href={link([])}>All runs</a>
      </p>
    </main>
  );
}

const nextTheme: Readonly<Record<Theme, Theme>> = { auto: "light", light: "dark", dark: "auto" };

function Bar({ openHelp }: { openHelp: () => void }): JSX.Element {
  const { connection, problem } = useLive();
  const [theme, setTheme] = useState(chosenTheme);
  const state = problem !== null ? "lost" : connection;
  const words = { connecting: "connecting", live: "live", lost: problem === null ? "not connected" : "no store" }[
    state
  ];
  return (
    <header class="bar">
      <a class="home" href="#/">
        <span class="mark" aria-hidden="true">
          sqlm
        </span>
        <span class="hidden">All runs</span>
      </a>
      <span class={`connection connection-${state}`} role="status">
        {words}
      </span>
      <span class="space" />
      <button
        type="button"
        class="quiet"
        title="Light, dark, or as the machine has it"
        onClick={() => {
          chooseTheme(nextTheme[theme]);
          setTheme(nextTheme[theme]);
        }}
      >
        {theme === "auto" ? "◐ auto" : theme === "light" ? "☀ light" : "☾ dark"}
      </button>
      <button type="button" class="quiet" onClick={openHelp}>
        ? keys
      </button>
    </header>
  );
}

applyTheme();
startLive();
const root = document.getElementById("app");
if (root !== null) render(<App />, root);
