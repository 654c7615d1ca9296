// The schema over fastify and mercurius with its JIT, as their authors show it: resolvers of the root fields, objects
// below them, pg with named statements. EMSP_PEER tells where, which schema, and which SQL (peer_sql.py).
import Fastify from 'fastify'
import mercurius from 'mercurius'
import pg from 'pg'

const peer = JSON.parse(process.env.EMSP_PEER)
const pool = new pg.Pool({ connectionString: peer.dsn, max: peer.sessions, options: peer.options })
const KM = 6371.0088

const ask = async (name, values) => (await pool.query({ name, text: peer.sql[name], values })).rows
const location = (row) => Object.assign(JSON.parse(row.head), { evses: JSON.parse(row.evses) })

function unitPoint (lat, lng) {
  const phi = lat * Math.PI / 180
  const lam = lng * Math.PI / 180
  return [Math.cos(phi) * Math.cos(lam), Math.cos(phi) * Math.sin(lam), Math.sin(phi)]
}

const facets = (kind, codes) => codes.map((code) => peer.facets[kind][code])

const resolvers = {
  Query: {
    locations: async (_, { limit }, { party }) => (await ask('locations', [...party, limit])).map(location),
    evse: async (_, { limit }, { party }) => (await ask('evses', [...party, limit])).map((row) =>
      Object.assign(JSON.parse(row.document), { locations: JSON.parse(row.head) })),
    find_ev_filter_locations: async (_, asked) => {
      const rows = await ask('nearest', [
        unitPoint(asked.lat, asked.lng),
        2 * Math.sin(asked.distance / (2 * KM)),
        facets('facilities', asked.facilities),
        facets('connector_types', asked.connector_types),
        asked.limit
      ])
      return rows.map((row) => {
        const found = location(row)
        found.distance = 2 * Math.asin(row.chord / 2) * KM
        found.evses = found.evses.filter((evse) => evse.status !== 'REMOVED')
        return found
      })
    }
  }
}

const app = Fastify()
app.register(mercurius, {
  schema: peer.schema,
  resolvers,
  jit: 1,
  context: (request) => ({ party: request.headers.party?.split('/') })
})
await app.listen({ host: '127.0.0.1', port: peer.port })
