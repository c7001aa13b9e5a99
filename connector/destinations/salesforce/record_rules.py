"""Salesforce's errors that are about one record.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm and the StatusCode enumeration
of the Enterprise WSDL.
"""

from __future__ import annotations

from typing import Final

from connector.destinations.salesforce.rule import TRIGGERS, Kind, Rule

_LATER, _NO, _FIELDS = Kind.LATER, Kind.REJECTED, Kind.FIELDS

OF_A_RECORD: Final = (
    # This record, later
    Rule(
        "INVALID_FIELD",
        _LATER,
        "the record it refers to is not in Salesforce yet",
        "fix the dead letter of the other record first, then replay",
        "^Foreign key external ID",
    ),
    Rule(
        "STORAGE_LIMIT_EXCEEDED",
        _LATER,
        "the org's storage is full, so no new record can be created",
        "free some storage or buy more: the record is then created within the hour",
        retry_after=3600,
        patient=True,
    ),
    Rule(
        "INVALID_CROSS_REFERENCE_KEY",
        _FIELDS,
        "the record type in {fields} is not available to the connector's user",
        "add the record type to the user's profile or permission set, or correct the mapping, then replay",
        "Record Type ID|RecordTypeId",
        field="RecordTypeId",
        code="RECORD_TYPE_UNAVAILABLE",
    ),
    Rule(
        "INVALID_CROSS_REFERENCE_KEY INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        _FIELDS,
        "{fields} refers to a record that is missing in Salesforce, or that the connector's user may not use",
        "correct the mapping, or give the user access to that record, then replay",
        listed=True,
    ),
    Rule(
        "ENTITY_IS_LOCKED RECORD_IN_USE_BY_WORKFLOW",
        _LATER,
        "the record is locked by an approval or a workflow",
        "finish the approval in Salesforce, then replay",
        retry_after=900,
    ),
    Rule(
        "ENTITY_IS_DELETED INVALID_CROSS_REFERENCE_KEY",
        _LATER,
        "the record, or one it refers to, was deleted or merged in Salesforce",
        "replay: the missing record is written in full",
    ),
    Rule(
        "ALL_OR_NONE_OPERATION_ROLLED_BACK PROCESSING_HALTED",
        _LATER,
        "the record was held back by another record in the same request",
        "fix the other dead letters of this account first, then replay",
    ),
    # The mapping, or what the connector's user may do
    Rule(
        "INVALID_FIELD INVALID_FIELD_FOR_INSERT_UPDATE",
        _FIELDS,
        "{fields} cannot be written: misspelled, missing, read-only or hidden from the connector's user",
        "correct the mapping, or make the field editable in the connector's permission set, then replay",
    ),
    Rule(
        "NOT_FOUND INVALID_TYPE INVALID_ENTITY_FOR_UPSERT",
        _NO,
        "the object or its key field is missing or hidden from the connector's user",
        "create the object or key field, or add it to the connector's permission set, then replay",
        every=True,
    ),
    Rule(
        "INVALID_EXTERNAL_ID_FIELD_NAME",
        _NO,
        "the key field is not an external ID",
        "select External ID and Unique on the key field, then replay",
        every=True,
    ),
    Rule(
        "JSON_PARSER_ERROR",
        _FIELDS,
        "a value has the wrong type for its field",
        "correct the mapping with `format:` or `table:`, then replay",
    ),
    Rule(
        "MALFORMED_QUERY",
        _NO,
        "Salesforce does not understand one of our queries",
        "report it as a bug in the connector",
    ),
    Rule(
        "MALFORMED_ID",
        _FIELDS,
        "{fields} needs the ID of a Salesforce record",
        "use `ref:`, `lookup:` or an ID for this field in the mapping, then replay",
    ),
    Rule(
        "INSUFFICIENT_ACCESS",
        _NO,
        "the key field is not unique, and the connector's user may not view all data",
        "select Unique on the key field, or give the user View All Data, then replay",
        "view all data",
    ),
    Rule(
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        _NO,
        "the connector's user may not use a record that this one refers to",
        "give the user access to that record, under private sharing through a sharing rule, then replay",
    ),
    Rule(
        "INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_OR_READONLY TXN_SECURITY_NO_ACCESS",
        _NO,
        "the connector's user may not write this record",
        "give the user edit access to the object and, under private sharing, to the records, then replay",
    ),
    Rule(
        "INACTIVE_OWNER_OR_USER",
        _FIELDS,
        "the owner is not an active user",
        "activate the user, or remove the owner from the mapping, then replay",
        field="OwnerId",
    ),
    # The record itself
    Rule(
        "MISSING_ARGUMENT",
        _NO,
        "the record's key is empty",
        "report it as a bug in the connector: careCycle's IDs are never empty",
    ),
    Rule(
        "REQUIRED_FIELD_MISSING",
        _NO,
        "{fields} is required and has no value",
        "map the field with a `default:`, then replay",
    ),
    Rule(
        "STRING_TOO_LONG",
        _FIELDS,
        "the text is too long for {fields}",
        "add `cut: true` to the field in the mapping, or make the field longer, then replay",
    ),
    Rule(
        "MAX_TASK_DESCRIPTION_EXCEEEDED MAX_TASK_DESCRIPTION_EXCEEDED",
        _FIELDS,
        "the text is too long for a task's description",
        "add `cut: true` to the field in the mapping, then replay",
        field="Description",
    ),
    Rule(
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        _FIELDS,
        "{fields} does not offer this value",
        "add the value in Salesforce or to the mapping's table, then replay",
    ),
    Rule(
        "INVALID_EMAIL_ADDRESS",
        _FIELDS,
        "Salesforce does not accept the email address in {fields}",
        "correct the address in careCycle, which sends a new event",
    ),
    Rule(
        "NUMBER_OUTSIDE_VALID_RANGE DATE_OUT_OF_RANGE",
        _FIELDS,
        "the value of {fields} is out of range",
        "correct the value in careCycle, which sends a new event",
    ),
    Rule(
        "INVALID_TYPE_ON_FIELD_IN_RECORD",
        _FIELDS,
        "the value of {fields} has the wrong type, or a checkbox was to be cleared",
        "remove `if_null: clear` from checkboxes in the mapping, then replay",
    ),
    Rule(
        "TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET",
        _FIELDS,
        "{fields} has characters Salesforce cannot store",
        "remove those characters in careCycle, which sends a new event",
    ),
    Rule(
        "FIELD_CUSTOM_VALIDATION_EXCEPTION FIELD_FILTER_VALIDATION_EXCEPTION",
        _FIELDS,
        "a validation rule of the org rejects the record",
        "exempt the connector's user from the validation rule, or map the values it asks for, then replay",
    ),
    Rule(
        "FIELD_INTEGRITY_EXCEPTION",
        _FIELDS,
        "the value does not fit {fields}: a lookup to the wrong kind of record, or a state or country not on the list",
        "use a `table:` with your org's states and countries, or `WhatId` for a person account, then replay",
    ),
    Rule(
        TRIGGERS,
        _FIELDS,
        "a trigger or flow of the org rejects the record",
        "change the trigger or flow so that it accepts the connector's user, then replay",
    ),
    Rule(
        "DUPLICATE_VALUE",
        _FIELDS,
        "another record already has this value, and Salesforce allows it once",
        "merge the two if they are the same person; if not, correct the value in careCycle, or wait until it is free",
    ),
    Rule(
        "DUPLICATE_EXTERNAL_ID HTTP_300",
        _NO,
        "several records have this key",
        "merge them if they are one person, else clear the wrong key; select Unique on the key field, then replay",
    ),
    Rule(
        "DUPLICATES_DETECTED",
        _NO,
        "a duplicate rule of the org takes it for a record that exists",
        "use `also_match`, exempt the connector's user, or set `duplicate_warnings: pass` if the rule only "
        "alerts, then replay",
    ),
    Rule(
        "CANNOT_UPDATE_CONVERTED_LEAD",
        _NO,
        "the lead was converted, and the contact it became cannot be found",
        "map this customer to a contact, then replay",
    ),
    Rule("ENTITY_IS_ARCHIVED", _NO, "the record is archived", "discard it: archived records cannot be changed"),
    Rule(
        "INVALID_PERSON_ACCOUNT_OPERATION",
        _FIELDS,
        "the fields do not fit a person account",
        "map `LastName` instead of `Name`, check the record type, then replay",
    ),
)
