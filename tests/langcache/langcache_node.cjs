// LangCache's SDK for Node as a worker: a call per line of stdin (`url`, `cacheId`, `key`, `method`, `request`), what came of
// it per line of stdout: `result`, or `raised` with the class, the status and the members of the error.

const { createInterface } = require("node:readline");
const { LangCache } = require("@redis-ai/langcache");

async function answer({ url, cacheId, key, method, request }) {
  const client = new LangCache({ serverURL: url, cacheId, apiKey: key });
  try {
    const result = await client[method](method === "deleteById" ? request.entryId : request);
    return { result: result === undefined ? null : result };
  } catch (error) {
    const { name, statusCode, message, data$: data } = error;
    return { raised: { name, statusCode, message, data: data && { type: data.type, status: data.status, fields: data.fields } } };
  }
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
  }
}

main();
