// How a run stands whose labels nobody can check, in words.
import { healthLine } from "../guard/health-line.ts";
import { metricSeries, openReader, type Reader, type RunOverview, runOverview } from "../store/queries.ts";
import { knowsTruth } from "../store/view-runs.ts";

/** Null where a checker judged the run's own answers, and where no step was recorded. */
export function healthOf(reader: Reader, overview: RunOverview): string | null {
  if (knowsTruth(overview)) return null;
  const series = metricSeries(reader, overview.run);
  return healthLine(Object.fromEntries(series.map(({ name, values }) => [name, values])));
}

/** The same of a run by its name. */
export function healthOfRun(workspace: string, run: string): string | null {
  using reader = openReader(workspace);
  return healthOf(reader, runOverview(reader, run));
}
