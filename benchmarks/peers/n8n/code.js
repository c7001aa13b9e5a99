// n8n's Code node: verifies the signature of the raw body, then maps the same fields as mappings/salesforce-contact.yaml.
// Like a careful user's: a flag is only ever raised, also by a call's disposition, and empty values are left out.
const crypto = require('crypto')

const { headers } = $input.first().json
const raw = await this.helpers.getBinaryDataBuffer(0, 'data')
const key = Buffer.from('SECRET'.slice('whsec_'.length), 'base64')
const signed = `${headers['svix-id']}.${headers['svix-timestamp']}.`
const wanted = Buffer.from(crypto.createHmac('sha256', key).update(signed).update(raw).digest('base64'))
const genuine = String(headers['svix-signature']).split(' ').some((part) => {
  const given = Buffer.from(part.replace(/^v1,/, ''))
  return given.length === wanted.length && crypto.timingSafeEqual(given, wanted)
})
if (!genuine || Math.abs(Date.now() / 1000 - Number(headers['svix-timestamp'])) > 300) throw new Error('not genuine')

const filled = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null && value !== ''))
const event = JSON.parse(raw.toString('utf8'))
const call = event.event_type === 'call.completed' ? event : null
const customer = call ? call.customer : event
const contact = filled({
  LastName: customer.lastName || 'Unknown',
  FirstName: customer.firstName,
  Suffix: customer.suffix,
  Email: customer.email,
  Phone: customer.phoneNumber,
  MobilePhone: customer.lineType === 'mobile' && customer.doNotSMS !== true ? customer.phoneNumber : null,
  Birthdate: customer.dateOfBirth,
  MailingStreet: customer.doNotMail === true ? null : [customer.address, customer.address2].filter(Boolean).join(', '),
  MailingCity: customer.city,
  MailingState: customer.state,
  MailingPostalCode: customer.postalCode,
  Language__c: { en: 'English', es: 'Spanish' }[customer.language] || 'Other',
  Status__c: { Lead: 'Open - Not Contacted', Active: 'Working', Inactive: 'Closed' }[customer.status],
  Medicare_Part_A__c: customer.medicarePartADate,
  LeadSource: 'careCycle',
  DoNotCall: customer.doNotCall === true || (call && ['Do Not Call', 'DNC'].includes(call.disposition)) || null,
  HasOptedOutOfEmail: customer.doNotEmail === true || null,
  Do_Not_Text__c: customer.doNotSMS === true || null,
  Do_Not_Mail__c: customer.doNotMail === true || null,
})
const task = call && filled({
  Subject: `Call: ${call.disposition}${call.campaign ? ` (${call.campaign.name})` : ''}`,
  Status: 'Completed',
  CallType: { inbound: 'Inbound', outbound: 'Outbound' }[call.direction],
  CallDurationInSeconds: Math.round(call.durationMs / 1000),
  ActivityDate: call.startTime.slice(0, 10),
  Description: call.summary,
})
return [{ json: { customer: customer.id, contact, call: call && call.id, task } }]
