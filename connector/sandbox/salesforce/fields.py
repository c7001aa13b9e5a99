"""The sandbox org's fields, each on its own line: name, type, length, marks, `-> objects`, `= picklist values`.

Marks: required, unique, key (a unique external id), lookup (usable as an upsert key), restricted, encrypted, readonly,
unsearchable (not in a query's WHERE), default:X. A field without `required` may be null, except booleans, which start
as false. A multipicklist holds its values in the order given here, whatever the order they are written in.
"""

from __future__ import annotations

from typing import Final

SYSTEM: Final = """
Id id 18 readonly required
IsDeleted boolean readonly
CreatedDate datetime readonly
LastModifiedDate datetime readonly
SystemModstamp datetime readonly
CreatedById reference 18 readonly -> User
LastModifiedById reference 18 readonly -> User
"""
PERSON: Final = """
LastName string 80 required
FirstName string 40
Salutation picklist 40 = Mr. | Ms. | Mrs. | Dr. | Prof.
Name string 121 readonly
Title string 128
Phone phone 40
MobilePhone phone 40
Fax phone 40
Email email 80 lookup
DoNotCall boolean
HasOptedOutOfEmail boolean
HasOptedOutOfFax boolean
Do_Not_Text__c boolean
Do_Not_Mail__c boolean
careCycle_Id__c string 36 key
Description textarea 32000
OwnerId reference 18 default:user -> User
"""
CONTACT: Final = """
MasterRecordId reference 18 readonly -> Contact
MiddleName string 40
Suffix string 40
HomePhone phone 40
OtherPhone phone 40
Department string 80
Birthdate date
MailingStreet textarea 255
MailingCity string 40
MailingState string 80
MailingPostalCode string 20
MailingCountry string 80
External_Id__c string 60
County__c string 60
Timezone__c string 60
Language__c picklist 255 restricted = English | Spanish | Other
Medicare_Part_A__c date encrypted
Medicare_Part_B__c date encrypted
MBI__c string 20 encrypted
Household_Income__c currency
Agent_Email__c email 80
Status__c picklist 255 restricted = Open - Not Contacted | Working | Closed
GenderIdentity picklist 255 restricted = Male | Female | Nonbinary | Not Listed
LeadSource picklist 255 = careCycle | Web | Phone Inquiry
Last_Call_Date__c datetime
AccountId reference 18 -> Account
Licensed__c multipicklist 4099 restricted = CA | TX | AR | AZ | NV
"""
LEAD: Final = """
MasterRecordId reference 18 readonly -> Lead
Company string 255 required
Status picklist 255 required restricted = Open - Not Contacted | Working - Contacted | Closed - Not Converted
Street textarea 255
City string 40
State string 80
PostalCode string 20
Country string 80
LeadSource picklist 255 = careCycle | Web
Rating picklist 255 = Hot | Warm | Cold
IsConverted boolean readonly
ConvertedContactId reference 18 readonly -> Contact
ConvertedAccountId reference 18 readonly -> Account
OwnerId reference 18 default:user -> User Group
"""
ACCOUNT: Final = """
Name string 255 required
Phone phone 40
Website string 255
BillingStreet textarea 255
BillingCity string 40
BillingState string 80
BillingPostalCode string 20
Description textarea 32000
careCycle_Id__c string 36 key
OwnerId reference 18 default:user -> User
"""
TASK: Final = """
Subject combobox 255
Status picklist 255 required restricted = Not Started | In Progress | Completed
Priority picklist 255 restricted default:Normal = High | Normal | Low
Type picklist 40 = Call | Email | Meeting | Other
TaskSubtype picklist 40 = Task | Call | Email
CallType picklist 40 restricted = Inbound | Outbound | Internal
CallDisposition string 255
CallObject string 255
CallDurationInSeconds int 8
ActivityDate date
Description textarea 32000
WhoId reference 18 -> Contact Lead
WhatId reference 18 -> Account Opportunity Campaign Case
OwnerId reference 18 default:user -> User Group
careCycle_Call_Id__c string 60 key
Campaign__c string 80
"""
USER: Final = """
Username string 80 required unique lookup
LastName string 80 required
FirstName string 40
Name string 121 readonly
Email email 128
IsActive boolean default:true
FederationIdentifier string 512 unique lookup
ProfileId reference 18 -> Profile
"""
ORGANIZATION: Final = """
IsSandbox boolean readonly
"""
USER_PERMISSIONS: Final = """
PermissionsAllowViewEditConvertedLeads boolean readonly
PermissionsEditTask boolean readonly
"""
USER_LICENSE: Final = """
Name string 40 readonly
"""
PROFILE: Final = """
Name string 40
UserLicenseId reference 18 readonly -> UserLicense
"""
SET_LICENSE: Final = """
MasterLabel string 80 readonly
"""
SET_LICENSE_ASSIGNMENT: Final = """
AssigneeId reference 18 required -> User
PermissionSetLicenseId reference 18 required -> PermissionSetLicense
"""
RECORD_TYPE: Final = """
Name string 80 required
DeveloperName string 80
SobjectType picklist 255 required
IsActive boolean default:true
IsPersonType boolean readonly
"""
DUPLICATE_RULE: Final = """
MasterLabel string 80
SobjectType picklist 40
IsActive boolean
"""
PERMISSION_SET: Final = """
Name string 80 required unique
Label string 80 required
Description string 255
"""
FIELD_PERMISSIONS: Final = """
ParentId reference 18 required -> PermissionSet
SobjectType picklist 255 required
Field picklist 255 required
PermissionsRead boolean
PermissionsEdit boolean
"""
ASSIGNMENT: Final = """
AssigneeId reference 18 required -> User
PermissionSetId reference 18 required -> PermissionSet
"""
