// The same in Node, as Express's and svix's own pages show it. Environment: SECRET, CRM, SESSION and PORT, as for inline.py.
const express = require('express')
const { Webhook } = require('svix')

const webhook = new Webhook(process.env.SECRET)
const app = express()

app.post('/hooks/bench', express.raw({ type: () => true, limit: '5mb' }), async (request, response) => {
  let event
  try {
    event = webhook.verify(request.body, request.headers)
  } catch {
    return response.status(401).end()
  }
  const address = `${process.env.CRM}/services/data/v67.0/sobjects/Contact/careCycle_Id__c/${event.id}`
  const answer = await fetch(address, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${process.env.SESSION}`, 'content-type': 'application/json' },
    body: JSON.stringify({ LastName: event.lastName, FirstName: event.firstName, Phone: event.phoneNumber }),
  })
  response.status(answer.ok ? 204 : 502).end()
})

app.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('ready'))
