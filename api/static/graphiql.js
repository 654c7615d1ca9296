// GraphiQL at the path that answers GraphQL. Headers are entered below the query.
// GraphiQL's history keeps headers beside queries; in the browser's own storage a token would outlive the page.
const kept = new Map();
const memory = {
  get length() {
    return kept.size;
  },
  getItem: (name) => kept.get(name) ?? null,
  setItem: (name, value) => kept.set(name, value),
  removeItem: (name) => kept.delete(name),
  clear: () => kept.clear(),
};

// Its dialogs add a style to the page; the page's policy takes it by this number.
window.__webpack_nonce__ = document.querySelector("meta[name=nonce]").content;

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: window.location.pathname }),
    storage: memory,
    defaultHeaders: '{"Authorization": ""}',
    defaultQuery: "{\n  locations(limit: 3) {\n    id\n    name\n    evses {\n      uid\n      status\n    }\n  }\n}\n",
  }),
);
