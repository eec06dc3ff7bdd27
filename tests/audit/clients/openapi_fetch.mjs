// A client as openapi-fetch makes it. Arguments: its module, base address, key, endpoint, and the fields as JSON.
const [module, baseUrl, apiKey, endpoint, fields] = process.argv.slice(2);
const { default: createClient } = await import(module);

const client = createClient({ baseUrl });
const path = `/api/v1/customer/${endpoint}`;
const { data, error, response } =
  endpoint === "get-account-info"
    ? await client.GET(path, { params: { query: { apiKey, ...JSON.parse(fields) } } })
    : await client.POST(path, { params: { query: { apiKey } }, body: JSON.parse(fields) });
console.log(JSON.stringify({ status: response.status, data, error }));
