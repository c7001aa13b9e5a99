"""Further standard objects of an org, in the same lines as `fields`: what an agency keeps besides people and calls."""

from __future__ import annotations

from typing import Final

OPPORTUNITY: Final = """
Name string 120 required
AccountId reference 18 -> Account
ContactId reference 18 -> Contact
CampaignId reference 18 -> Campaign
StageName picklist 255 required = Prospecting | Qualification | Proposal/Price Quote | Closed Won | Closed Lost
CloseDate date required
Amount currency
Probability percent
Type picklist 255 = Existing Business | New Business
LeadSource picklist 255 = careCycle | Web | Phone Inquiry
NextStep string 255
Description textarea 32000
IsClosed boolean readonly
IsWon boolean readonly
OwnerId reference 18 default:user -> User
"""
CAMPAIGN: Final = """
Name string 80 required
Type picklist 255 = Conference | Webinar | Email | Telemarketing | Other
Status picklist 255 = Planned | In Progress | Completed | Aborted
StartDate date
EndDate date
IsActive boolean
Description textarea 32000
OwnerId reference 18 default:user -> User
"""
CAMPAIGN_MEMBER: Final = """
CampaignId reference 18 required -> Campaign
ContactId reference 18 -> Contact
LeadId reference 18 -> Lead
Status picklist 40 = Sent | Responded
HasResponded boolean readonly
"""
CONTACT_ROLE: Final = """
OpportunityId reference 18 required -> Opportunity
ContactId reference 18 required -> Contact
Role picklist 40 = Business User | Decision Maker | Other
IsPrimary boolean
"""
CASE: Final = """
Subject string 255
Status picklist 255 restricted default:New = New | Working | Escalated | Closed
Origin picklist 255 = Phone | Email | Web
Priority picklist 255 = High | Medium | Low
Type picklist 255 = Mechanical | Electrical | Other
ContactId reference 18 -> Contact
AccountId reference 18 -> Account
Description textarea 32000
OwnerId reference 18 default:user -> User Group
"""
EVENT: Final = """
Subject combobox 255
StartDateTime datetime required
DurationInMinutes int 8
Location string 255
Description textarea 32000
WhoId reference 18 -> Contact Lead
WhatId reference 18 -> Account Opportunity Campaign Case
OwnerId reference 18 default:user -> User
"""
GROUP: Final = """
Name string 40 required
DeveloperName string 80
Type picklist 40 required restricted = Queue | Regular
Email email 80
"""
QUEUE_OBJECT: Final = """
QueueId reference 18 required -> Group
SobjectType picklist 255 required
"""
