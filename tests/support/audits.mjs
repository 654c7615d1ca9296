// The audits of the npm package graphql-http against the URL that is named; a JSON line an audit.
import { auditServer } from "graphql-http";

for (const result of await auditServer({ url: process.argv[2] })) {
  console.log(JSON.stringify({ id: result.id, name: result.name, status: result.status, reason: result.reason ?? "" }));
}
