// The keyboard: everything that a mouse can do, and a little more.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

const keys: readonly (readonly [key: string, what: string])[] = [
  ["/", "search"],
  ["j, k", "next and previous row of a table; Enter opens it"],
  ["n, p", "next and previous question or step"],
  ["← →", "in a picture: move along the steps (with Shift, by ten); Enter opens the step"],
  ["r", "runs"],
  ["?", "this help"],
];

export function Keyboard({ open, setOpen }: { open: boolean; setOpen: (open: boolean) => void }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement | null;
      if (event.ctrlKey || event.metaKey || event.altKey || target?.closest("input, select, textarea") != null) return;
      if (act(event.key, () => setOpen(true))) event.preventDefault();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [setOpen]);
  return (
    <dialog ref={dialog} aria-label="Keys" onClose={() => setOpen(false)}>
      <h2>Keys</h2>
      <dl class="facts">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={() => setOpen(false)}>
        Close
      </button>
    </dialog>
  );
}

/** True where the key meant something. */
function act(key: string, help: () => void): boolean {
  switch (key) {
    case "?":
      help();
      return true;
    case "/": {
      const search = document.querySelector<HTMLInputElement>("[data-search]");
      search?.focus();
      return search !== null;
    }
    case "r":
      location.hash = "#/";
      return true;
    case "n":
    case "p": {
      const link = document.querySelector<HTMLAnchorElement>(`a[rel=${key === "n" ? "next" : "prev"}]`);
      link?.click();
      return link !== null;
    }
    case "j":
    case "k":
      return moveRow(key === "j" ? 1 : -1);
    default:
      return false;
  }
}

/** Moves the focus to the link of the next row. */
function moveRow(by: number): boolean {
  const links = [...document.querySelectorAll<HTMLAnchorElement>("[data-row] [data-open]")];
  if (links.length === 0) return false;
  const now = links.indexOf(document.activeElement as HTMLAnchorElement);
  const next = links[now < 0 ? 0 : Math.max(0, Math.min(links.length - 1, now + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}
