"""Which of careCycle's names people mean by a heading of another kind: to be said, never assumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_MEANT: Final[Mapping[str, str]] = {
    "id": "carecycleid carecyclecustomerid customeruuid uuid",
    "externalId": "crmid contactid leadid accountid personid recordid clientid memberid",
    "updatedAt": "updated updatedon updateddate modified modifiedat modifiedon modifieddate lastmodified "
    "lastmodifieddate lastupdate lastupdated dateupdated",
    "createdAt": "created createdon createddate createdate datecreated",
    "firstName": "first fname givenname forename",
    "middleName": "middle mname middleinitial mi",
    "lastName": "last lname surname familyname",
    "firstName and lastName": "name fullname customername clientname contactname",
    "salutation": "title prefix",
    "preferredName": "nickname goesby",
    "phoneNumber": "phone phone1 phoneno primaryphone homephone workphone mobile mobilephone mobilenumber cell "
    "cellphone cellnumber telephone tel",
    "email": "emailaddress mail primaryemail email1",
    "dateOfBirth": "dob birthday birthdate birth borndate",
    "language": "lang preferredlanguage",
    "gender": "sex",
    "maritalStatus": "marital",
    "address": "address1 addressline1 street streetaddress mailingaddress mailingstreet homeaddress",
    "address2": "addressline2 street2 apt apartment unit suite",
    "city": "town mailingcity",
    "state": "st province stateprovince mailingstate statecode",
    "postalCode": "zip zipcode postcode zippostalcode mailingzip mailingpostalcode",
    "timezone": "tz",
    "mbiNumber": "mbi medicarenumber medicareid medicareno medicarebeneficiaryid",
    "medicarePartADate": "parta partadate",
    "medicarePartBDate": "partb partbdate",
    "medicaidNumber": "medicaidid medicaidno",
    "householdIncome": "income",
    "agentName": "agent agentofrecord producer",
    "agentNpn": "npn",
    "doNotCall": "dnc donotphone calloptout phoneoptout",
    "doNotSMS": "donottext dnt textoptout smsoptout notext nosms",
    "doNotEmail": "emailoptout hasoptedoutofemail unsubscribed noemail",
    "doNotMail": "mailoptout nomail",
    "a doNot... flag of each kind": "optout optedout donotcontact",
}
_BY_HEADING: Final = {heading: name for name, headings in _MEANT.items() for heading in headings.split()}


def meant_by(heading: str) -> str:
    """The name that is meant by a heading, which has small letters and digits alone; empty if that is not known.

    >>> meant_by("dob"), meant_by("spousessn")
    ('dateOfBirth', '')
    """
    return _BY_HEADING.get(heading, "")
