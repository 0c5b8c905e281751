// For `node --import`: a process started with it resolves this package's name as the command line does.
import { resolveOwnPackage } from "./resolve-self.ts";

resolveOwnPackage();
