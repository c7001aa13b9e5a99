"""Sixty mistakes in a mapping: what it is, the right lines, and what somebody wrote in their place."""

from __future__ import annotations

from typing import Final

RIGHT: Final = """\
version: 1
crm: salesforce
extends: salesforce-contact

consent:
  withhold: { doNotCall: [contact.Phone] }

tables:
  stage:
    Lead: Open - Not Contacted
    Active: Working
    Inactive: Closed

records:
  contact:
    remove: [Suffix]
    fields:
      FirstName: customer.firstName
      Phone: { from: customer.phoneNumber, format: national }
      LeadSource: { value: Phone Inquiry }
      Status__c: { from: customer.status, table: stage }
      MailingCity: customer.city
      MailingState: customer.state
      Agent_Email__c: { from: customer.assignedUser.email, write: if_blank }
      Description: { template: "Agent: {customer.agentName}" }
  call:
    fields:
      ActivityDate:
        from: call.startTime
        format: date
      CallDisposition: call.disposition
      Priority:
        cases:
          - { when: { call.durationMs: { at_least: 60000 } }, then: { value: High } }
          - { else: { value: Normal } }

tests:
  - name: a caller
    event: customer.created
    given: { status: Lead }
    expect: { contact: { MailingCity: Mesa } }
"""

FIRST_NAME: Final = "      FirstName: customer.firstName"
SOURCE: Final = "      LeadSource: { value: Phone Inquiry }"
CITY: Final = "      MailingCity: customer.city"
STATE: Final = "      MailingState: customer.state"
NOTES: Final = '      Description: { template: "Agent: {customer.agentName}" }'
STAGE: Final = "      Status__c: { from: customer.status, table: stage }"
PHONE: Final = "      Phone: { from: customer.phoneNumber, format: national }"
OUTCOME: Final = "      CallDisposition: call.disposition"

MISTAKES: Final[dict[str, tuple[str, str]]] = {
    # Names of careCycle's fields
    "a letter swapped": ("customer.firstName", "customer.fristName"),
    "a field as the CRM's label has it": ("FirstName: customer.firstName", "FirstName: customer.First Name"),
    "a field without its group": (FIRST_NAME, "      FirstName: firstName"),
    "a field as a database writes it": (FIRST_NAME, "      FirstName: customer.first_name"),
    "another group's name": (FIRST_NAME, "      FirstName: contact.firstName"),
    "the group in the plural": (CITY, "      MailingCity: customers.city"),
    "a path as in the payload": (CITY, "      MailingCity: data.customer.city"),
    "a slash for a dot": (CITY, "      MailingCity: customer/city"),
    "an outcome by another word": (OUTCOME, "      CallDisposition: call.outcome"),
    # Formulas and merge fields
    "double braces": (CITY, "      MailingCity: {{customer.city}}"),
    "double braces in quotes": ('"Agent: {customer.agentName}"', '"Agent: {{customer.agentName}}"'),
    "a dollar and braces": (CITY, "      MailingCity: ${customer.city}"),
    "an equals sign, as in Excel": (CITY, "      MailingCity: =customer.city"),
    "a Salesforce merge field": (CITY, "      MailingCity: {!customer.city}"),
    "braces around a field": (CITY, "      MailingCity: {customer.city}"),
    "two fields added": (
        '      Description: { join: [customer.firstName, customer.lastName], with: " " }',
        '      Description: customer.firstName + " " + customer.lastName',
    ),
    "an Excel function": (
        '      Description: { join: [customer.city, customer.state], with: ", " }',
        '      Description: CONCATENATE(customer.city, ", ", customer.state)',
    ),
    "a function around a field": (
        "      MailingCity: { from: customer.city, format: upper }",
        "      MailingCity: UPPER(customer.city)",
    ),
    "a template without its quotes": (NOTES, "      Description: { template: Agent: {customer.agentName} }"),
    "a field's name in value": (CITY, "      MailingCity: { value: customer.city }"),
    "a brace not closed in a template": ("{customer.agentName}", "{customer.agentName"),
    # Fixed text
    "a fixed text alone": (SOURCE, "      LeadSource: Phone Inquiry"),
    "a fixed text in quotes": (SOURCE, '      LeadSource: "Phone Inquiry"'),
    "a hash eats the value": (
        '      Description: { value: "#1 Agency" }',
        "      Description: { value: #1 Agency }",
    ),
    "an apostrophe in single quotes": (
        "      Description: { value: \"O'Brien's list\" }",
        "      Description: { value: 'O'Brien's list' }",
    ),
    "a colon in a text": (
        '      Description: { value: "Source: phone" }',
        "      Description: { value: Source: phone }",
    ),
    "an at sign first": ('      Description: { value: "@home" }', "      Description: { value: @home }"),
    # YAML
    "a tab": (CITY, "\tMailingCity: customer.city"),
    "one space too few": (CITY, "     MailingCity: customer.city"),
    "a non-breaking space from a web page": (CITY, "\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0MailingCity: customer.city"),
    "a zero-width space": (CITY, "      MailingCity: customer.\u200bcity"),
    "no space after the colon": (CITY, "      MailingCity:customer.city"),
    "an equals sign for the colon": (CITY, "      MailingCity = customer.city"),
    "a semicolon between two": (
        PHONE,
        "      Phone: { from: customer.phoneNumber; format: national }",
    ),
    "a comma left out": (PHONE, "      Phone: { from: customer.phoneNumber format: national }"),
    "quotation marks from Word": (SOURCE, "      LeadSource: { value: \u201cPhone Inquiry\u201d }"),
    "a dash from Word": ("  - name: a caller", "  \u2013 name: a caller"),
    "a dash without its space": ("  - name: a caller", "  -name: a caller"),
    "a dash too many": (CITY, "      - MailingCity: customer.city"),
    "dashes before every field": (
        "        from: call.startTime\n        format: date",
        "        - from: call.startTime\n        - format: date",
    ),
    "a brace not closed": (SOURCE, "      LeadSource: { value: Phone Inquiry"),
    "a quotation mark not closed": (NOTES, '      Description: { template: "Agent: {customer.agentName} }'),
    "a comment as in a program": (CITY + "  # where they live", CITY + "  // where they live"),
    "the same field twice": (CITY, CITY + "\n" + CITY),
    # The language's own words
    "a block's name in the singular": ("    remove: [Suffix]\n    fields:", "    remove: [Suffix]\n    field:"),
    "a block's name with a capital": ("tables:", "Tables:"),
    "the CRM with a capital": ("crm: salesforce", "crm: Salesforce"),
    "the name of a shipped mapping in the plural": ("extends: salesforce-contact", "extends: salesforce-contacts"),
    "a format by Excel's name": ("format: national", "format: phone"),
    "a write rule with spaces": ("write: if_blank", "write: if blank"),
    "yes for true": (
        "      LeadSource: { value: Phone Inquiry, cut: true }",
        "      LeadSource: { value: Phone Inquiry, cut: yes }",
    ),
    "a flag as the CRM spells it": ("withhold: { doNotCall:", "withhold: { DoNotCall:"),
    "a field to withhold without its record": ("[contact.Phone]", "[Phone]"),
    "the CRM on the right": (CITY, "      customer.city: MailingCity"),
    "the CRM's label for its field": (FIRST_NAME, "      First Name: customer.firstName"),
    # Conditions and tables
    "a comparison as in a formula": (
        "when: { call.durationMs: { at_least: 60000 } }",
        "when: { call.durationMs >= 60000 }",
    ),
    "a number with a comma": ("at_least: 60000", 'at_least: "60,000"'),
    "a table's entry in small letters": ("    Active: Working", "    active: Working"),
    "a state written out": (
        "      MailingState: { from: customer.state, when: { customer.state: AZ } }",
        "      MailingState: { from: customer.state, when: { customer.state: Arizona } }",
    ),
    "half a line": (CITY, CITY + "\n      MailingStreet:"),
}
