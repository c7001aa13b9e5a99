// node mapping.js ENGINE MAPPING PAYLOAD: prints what the engine makes of the payload; then, for each line with a count on
// standard input, the nanoseconds that many runs took. Each engine compiles first, where it can, and is called as its docs show.
const { createInterface } = require('node:readline')
const [engine, mapping, payload] = [process.argv[2], process.argv[3], JSON.parse(process.argv[4])]

const engines = {
  'mapping-kit': () => {
    const { transform } = require('@segment/actions-core')
    const directives = JSON.parse(mapping)
    return (event) => transform(directives, event)
  },
  'json-template': () => {
    const { JsonTemplateEngine } = require('@rudderstack/json-template-engine')
    const compiled = JsonTemplateEngine.createAsSync(mapping)
    return (event) => compiled.evaluate(event)
  },
  workflow: async () => {
    const { WorkflowEngineFactory, TemplateType } = require('@rudderstack/workflow-engine')
    const compiled = await WorkflowEngineFactory.createFromYaml(JSON.stringify({ steps: [{ name: 'map', template: mapping }] }), {
      rootPath: __dirname, templateType: TemplateType.JSON_TEMPLATE,
    })
    return async (event) => (await compiled.execute(event)).output
  },
  jsonata: () => {
    const compiled = require('jsonata')(mapping)
    return (event) => compiled.evaluate(event)
  },
}

async function main() {
  const run = await engines[engine]()
  const first = run(payload)
  const asynchronous = first instanceof Promise
  console.log(JSON.stringify(await first))
  for await (const line of createInterface({ input: process.stdin })) {
    const count = Number(line)
    const began = process.hrtime.bigint()
    if (asynchronous) for (let i = 0; i < count; i++) await run(payload)
    else for (let i = 0; i < count; i++) run(payload)
    console.log(String(process.hrtime.bigint() - began))
  }
}

main()
