// What a topic's name says about it.
const inWords = "plain:";

/** The subject of a topic that is given in words, as in `plain:geometry with circles`; null for one with a name of its own. */
export function subjectOf(topic: string): string | null {
  return topic.startsWith(inWords) ? topic.slice(inWords.length) : null;
}
