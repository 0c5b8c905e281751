// A real browser for tests. Where there is none they are skipped with a reason, unless CI asks for them.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"];

function findChromium(): string | null {
  const given = process.env["SQLM_CHROMIUM"];
  if (given !== undefined) return given;
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const found = folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path));
  return found ?? null;
}

const executable = findChromium();

/** Null where there is a browser to test with, or where its absence must be a failure. */
export const whyNoBrowser =
  executable === null && process.env["CI"] !== "true"
    ? "no Chromium on this machine (install it, or name it with SQLM_CHROMIUM); CI=true makes this a failure"
    : null;

const artefacts = resolve(import.meta.dirname, "../../test-results/dashboard");

export interface Browser extends AsyncDisposable {
  /** A page that collects what a browser complains about. */
  open(options?: { readonly width?: number; readonly height?: number; readonly dark?: boolean }): Promise<WatchedPage>;
}

export interface WatchedPage {
  readonly page: Page;
  /** Errors and warnings on the console, exceptions, dialogs, and requests that left this machine. */
  readonly complaints: string[];
  /** Keeps a picture of the page as an artefact, to be looked at. */
  keep(name: string): Promise<void>;
}

/** Starts Chromium with a fresh profile. */
export async function startBrowser(): Promise<Browser> {
  if (executable === null) throw new Error("There is no Chromium, and CI=true asks for one.");
  const profile = mkdtempSync(join(tmpdir(), "sqlm-chromium-"));
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath: executable,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  return {
    async open({ width = 1280, height = 900, dark = false } = {}) {
      const page = await context.newPage();
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
      const complaints: string[] = [];
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) complaints.push(`console: ${message.text()}`);
      });
      page.on("pageerror", (error) => complaints.push(`exception: ${error.stack}`));
      page.on("dialog", (dialog) => {
        complaints.push(`dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
      page.on("request", (request) => {
        const { protocol, hostname } = new URL(request.url());
        if (protocol.startsWith("http") && hostname !== "127.0.0.1") complaints.push(`request: ${request.url()}`);
      });
      return {
        page,
        complaints,
        keep: async (name) => {
          mkdirSync(artefacts, { recursive: true });
          await page.screenshot({ path: join(artefacts, `${name}.png`) });
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
