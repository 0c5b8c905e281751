// Answers repeat each other, and to check one may take a program's run.

/** The check, made once for each value whatever answers gave it. An answer without a value is not right. */
export function checkOnce<Given extends { readonly value: string | null }>(
  check: (answer: Given & { readonly value: string }) => Promise<boolean> | boolean,
): (answer: Given) => Promise<boolean> {
  const checked = new Map<string, Promise<boolean> | boolean>();
  return async (answer) => {
    const { value } = answer;
    if (value === null) return false;
    const verdict = checked.get(value) ?? check({ ...answer, value });
    checked.set(value, verdict);
    return await verdict;
  };
}
