// Training requests and results as JSON: what SDKs before 0.25 send, and servers that know no protobuf.
import { z } from "zod";
import { modelInputSchema } from "./model-input.ts";

const tensorSchema = z.object({
  data: z.array(z.number().nullable()),
  dtype: z.enum(["int64", "float32"]).default("float32"),
  shape: z.array(z.number().int().min(0)).nullish(),
  /** A sparse tensor, which is not taken. */
  sparse_crow_indices: z.array(z.number()).nullish(),
});

const trainingInputSchema = z.object({
  data: z.array(z.object({ model_input: modelInputSchema, loss_fn_inputs: z.record(z.string(), tensorSchema) })),
  loss_fn: z.string(),
  loss_fn_config: z.record(z.string(), z.union([z.number(), z.string()])).nullish(),
});
export type TrainingInput = z.output<typeof trainingInputSchema>;

const modelAndSequence = { model_id: z.string(), seq_id: z.number().int().min(0).nullish() };
export const forwardBackwardRequestSchema = z.object({
  ...modelAndSequence,
  forward_backward_input: trainingInputSchema,
});
export const forwardRequestSchema = z.object({ ...modelAndSequence, forward_input: trainingInputSchema });

export const forwardBackwardOutputSchema = z.object({
  loss_fn_output_type: z.string().nullish(),
  loss_fn_outputs: z.array(z.record(z.string(), tensorSchema)),
  metrics: z.record(z.string(), z.number().nullable()).nullish(),
});
