// The openai Node SDK as a worker: a question per line of stdin (as `Question` in speaking.py, with `url`, `key` and
// `api`), what it made of the answer per line of stdout: `headers` and `parsed`, or `error`.

const { createInterface } = require("node:readline");
const OpenAI = require("openai");

const ask = {
  chat: (client, { body }) => client.chat.completions.create(body),
  responses: (client, { body }) => client.responses.create(body),
  // The SDK's own way to add a stream up.
  helper: async (client, { body }) => ({ data: await client.chat.completions.stream(body).finalChatCompletion() }),
};

async function answer({ url, key, api, ...question }) {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
  const pending = ask[api](client, question);
  const { data, response } = pending.withResponse ? await pending.withResponse() : await pending;
  const parsed = [];
  if (data[Symbol.asyncIterator]) {
    for await (const event of data) parsed.push(event);
  } else {
    const { _request_id, ...own } = data; // the SDK's copy of a header
    parsed.push(own);
  }
  return { headers: response ? Object.fromEntries(response.headers) : {}, parsed };
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    const heard = await answer(JSON.parse(line)).catch((error) => ({ error: `${error.name}: ${error.message}` }));
    process.stdout.write(`${JSON.stringify(heard)}\n`);
  }
}

main();
