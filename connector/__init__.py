"""The bridge from careCycle's signed webhooks to records in a CRM.

The way of an event: web.hooks -> receive -> store.inbox -> worker -> deliver -> plan -> fold -> destinations.
Each arrow that crosses a process is a durable row.
"""
