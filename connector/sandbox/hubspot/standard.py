"""Further standard objects of a portal: sales, service and the activities besides calls."""

from __future__ import annotations

from typing import Final

from connector.sandbox.hubspot.portal import OWNER, READ_ONLY, Property, choice, texts

_WHEN: Final = Property("hs_timestamp", "datetime", "date", required=True)
_STAGES: Final = "appointmentscheduled qualifiedtobuy presentationscheduled decisionmakerboughtin closedwon closedlost"

STANDARD: Final = {
    "deals": [
        *READ_ONLY,
        *texts("dealname description pipeline"),
        choice("dealstage", _STAGES),
        choice("dealtype", "newbusiness existingbusiness"),
        Property("amount", "number", "number"),
        Property("closedate", "datetime", "date"),
        OWNER,
    ],
    "tickets": [
        *READ_ONLY,
        *texts("subject content"),
        Property("hs_pipeline"),
        Property("hs_pipeline_stage", required=True),
        choice("hs_ticket_priority", "LOW MEDIUM HIGH URGENT"),
        OWNER,
    ],
    "tasks": [
        *READ_ONLY,
        _WHEN,
        *texts("hs_task_subject hs_task_body"),
        choice("hs_task_status", "NOT_STARTED IN_PROGRESS WAITING COMPLETED DEFERRED"),
        choice("hs_task_priority", "NONE LOW MEDIUM HIGH"),
        choice("hs_task_type", "TODO CALL EMAIL"),
        OWNER,
    ],
    "communications": [*READ_ONLY, _WHEN, *texts("hs_communication_body hs_communication_channel_type"), OWNER],
    "notes": [*READ_ONLY, _WHEN, *texts("hs_note_body"), OWNER],
    "meetings": [
        *READ_ONLY,
        _WHEN,
        *texts("hs_meeting_title hs_meeting_body hs_meeting_location"),
        Property("hs_meeting_start_time", "datetime", "date"),
        Property("hs_meeting_end_time", "datetime", "date"),
        choice("hs_meeting_outcome", "SCHEDULED COMPLETED RESCHEDULED NO_SHOW CANCELED"),
        OWNER,
    ],
    "emails": [
        *READ_ONLY,
        _WHEN,
        *texts("hs_email_subject hs_email_text"),
        choice("hs_email_direction", "EMAIL INCOMING_EMAIL FORWARDED_EMAIL"),
        OWNER,
    ],
}
