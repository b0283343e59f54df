// The peer: npm's `soap` over the contract's WSDL, with one durable row of SQLite for a job.
// Usage: node soap_peer.js PORT WSDL DATABASE
const crypto = require('crypto'), fs = require('fs'), http = require('http')
const soap = require('soap'), Database = require('better-sqlite3')

const [port, wsdl, path] = process.argv.slice(2)
const db = new Database(path, { timeout: 60000 })
db.pragma('synchronous = FULL')
const insert = db.prepare("INSERT INTO job VALUES (?, ?, ?, datetime('now'))")
const select = db.prepare('SELECT content FROM job WHERE id = ?')
const started = '2026-01-01T00:00:00Z'
const status = { JobInvoker: 'InvokeUser', JobInvokerInfo: 'bench', StartDateTime: started, Type: 'Active' }

const operations = {
  ScheduleJob ({ job }) {
    job.JobID = `{${crypto.randomUUID().toUpperCase()}}`
    insert.run(job.JobID, job.Description, JSON.stringify(job))
    return { ScheduleJobResult: job }
  },
  GetJob ({ jobId }) {
    return { GetJobResult: { ...JSON.parse(select.get(jobId).content), Status: status } }
  }
}
const xml = fs.readFileSync(wsdl, 'utf8')
const name = /<wsdl:service name="(\w+)"/.exec(xml)[1]
const ports = [...xml.matchAll(/<wsdl:port name="(\w+)"/g)].map(found => [found[1], operations])
const server = http.createServer((request, response) => { response.statusCode = 404; response.end() })
server.keepAliveTimeout = 60000
const services = { [name]: Object.fromEntries(ports) }
server.listen(+port, '127.0.0.1', () => soap.listen(server, { path: '/', services, xml, enableChunkedEncoding: false }))
