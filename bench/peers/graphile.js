// Prints, as JSON, the statements that graphile-worker itself sends to claim and to complete a batch: its own functions are called
// with a connection that only listens.
const { batchGetJobs } = require("graphile-worker/dist/sql/getJobs");
const { batchCompleteJobs } = require("graphile-worker/dist/sql/completeJobs");

const heard = [];
const listen = (callback) =>
  callback({
    query: async (query) => {
      heard.push(query);
      const isTasks = /_private_tasks/.test(query.text) && !/_private_jobs/.test(query.text);
      return { rows: isTasks ? [{ id: 1, identifier: "bench" }] : [], rowCount: 0 };
    },
  });
listen.withRetries = listen;
const options = {
  escapedWorkerSchema: '"graphile_worker"',
  workerSchema: "graphile_worker",
  resolvedPreset: { worker: { preparedStatements: true, useNodeTime: false } },
  logger: console,
};

async function main() {
  await batchGetJobs(options, listen, { bench: () => {} }, "bench", null, Number(process.argv[2]));
  const claim = heard.filter((query) => /_private_jobs/.test(query.text)).pop().text;
  await batchCompleteJobs(options, listen, "bench", [1, 2].map((id) => ({ id, job_queue_id: null })));
  console.log(JSON.stringify({ claim, complete: heard.pop().text }));
}

main();
