// Property tests draw the same examples every time, so that a check of one change never fails for another's reason.
// To look for new counterexamples: FAST_CHECK_SEED=$RANDOM npm test
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env["FAST_CHECK_SEED"] ?? 20_250_805) });
