"""The bridge from careCycle's signed webhooks to Salesforce and HubSpot records.

The way of an event: web.hooks -> receive -> store.inbox -> worker -> deliver -> plan -> fold -> destinations.
Each arrow that crosses a process is a durable row.
"""
