"""What S3, and aiobotocore before it, have against a request: in plain words, with what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from kdl.errors import FetchError, PermanentError, RetryCause, SourceChanged, TransientError
from kdl.fetch.answers import client_error, status_error

_CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; then run again"
_RENEW = "log in again (aws sso login), or renew AWS_SESSION_TOKEN; then run again"


@dataclass(frozen=True, slots=True)
class _Word:
    says: str
    fix: str = ""


_NO_BUCKET = _Word(
    "there is no such bucket",
    "look at the name behind s3://, and at AWS_ENDPOINT_URL if the server is not Amazon's",
)
_EXPIRED = _Word("the credentials have expired", _RENEW)
_UNKNOWN_KEY = _Word("the server does not know these credentials", _CREDENTIALS)
_ELSEWHERE = _Word("the bucket is in another region", "set AWS_DEFAULT_REGION to its region; then run again")
_REFUSED = _Word(
    "these credentials may not read it (or it is not there, which S3 tells only to those who may list)",
    "ask the bucket's owner for s3:GetObject and s3:ListBucket; a bucket whose readers pay wants "
    "AWS_REQUEST_PAYER=requester",
)
_NOT_PUBLIC = _Word("it is not public, and no credentials were given", _CREDENTIALS)
_WORDS = {
    "NoSuchKey": _Word("no such object"),
    "NoSuchBucket": _NO_BUCKET,
    "InvalidBucketName": _NO_BUCKET,
    "AccessDenied": _REFUSED,
    "AllAccessDisabled": _REFUSED,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "InvalidToken": _UNKNOWN_KEY,
    "InvalidSecurity": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": _Word("the secret key is not that of the access key", _CREDENTIALS),
    "RequestTimeTooSkewed": _Word("this machine's clock is wrong", "set it (timedatectl); then run again"),
    "PermanentRedirect": _ELSEWHERE,
    "AuthorizationHeaderMalformed": _ELSEWHERE,
    "IllegalLocationConstraintException": _ELSEWHERE,
    "InvalidObjectState": _Word(
        "it is archived (Glacier) and can not be read as it is",
        "have it restored (aws s3api restore-object), or name another --origin",
    ),
}


def s3_error(url: str, error: Exception, *, anonymous: bool, stall_s: float) -> FetchError:
    """The error of a request about ``url``. ``anonymous``: it was not signed."""
    match error:
        case boto.ClientError():
            return _answered(url, error.response, anonymous)
        case ResponseParserError():
            return not_s3(url)
        case boto.HTTPClientError() | boto.ConnectionError():
            inner = error.__context__
            if isinstance(inner, aiohttp.ClientError | OSError | TimeoutError):
                return client_error(url, inner, stall_s)
            return TransientError(_one_line(error), subject=url, cause=RetryCause.RESET)
        case boto.UnauthorizedSSOTokenError() | boto.SSOTokenLoadError() | boto.TokenRetrievalError():
            return _denied(url, _Word("the login of the AWS profile has expired", _RENEW))
        case boto.ProfileNotFound() | boto.PartialCredentialsError() | boto.CredentialRetrievalError():
            return _denied(url, _Word(f"no credentials: {_one_line(error)}", _CREDENTIALS))
        case boto.NoCredentialsError() | boto.MetadataRetrievalError():
            return _denied(url, _NOT_PUBLIC)
        case boto.ParamValidationError() | boto.InvalidDNSNameError():
            return _denied(url, _NO_BUCKET, HTTPStatus.NOT_FOUND)
        case _:
            fix = "look at the AWS_… variables and at ~/.aws/config"
            return PermanentError(_one_line(error), subject=url, fix=fix)


def not_s3(url: str) -> TransientError:
    """Of an answer that comes from another kind of server."""
    words, fix = "the answer is none of S3's", "look at AWS_ENDPOINT_URL, and at the proxy if there is one"
    return TransientError(words, subject=url, fix=fix, cause=RetryCause.MALFORMED)


def _denied(url: str, word: _Word, status: int = HTTPStatus.UNAUTHORIZED) -> PermanentError:
    return PermanentError(word.says, subject=url, fix=word.fix, status=status)


def _answered(url: str, response: dict[str, Any], anonymous: bool) -> FetchError:
    """Of an answer with a status other than a success."""
    told, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, status = str(told.get("Code", "")), int(meta.get("HTTPStatusCode", 0))
    headers = {name.title(): value for name, value in meta.get("HTTPHeaders", {}).items()}
    if status == HTTPStatus.PRECONDITION_FAILED:
        return SourceChanged("the object at the server is another one now", subject=url, status=status)
    word = _REFUSED if status == HTTPStatus.FORBIDDEN and code.isdigit() else _WORDS.get(code)
    if word is _REFUSED and anonymous:
        word = _NOT_PUBLIC
    found = status_error(url, status, headers, None if code.isdigit() else code)
    if word is None or isinstance(found, TransientError):
        return found
    region = told.get("Region") or headers.get("X-Amz-Bucket-Region")
    if word is _ELSEWHERE and region:
        word = _Word(f"{word.says}, {region}", f"set AWS_DEFAULT_REGION={region}; then run again")
    words = word.says if code.isdigit() else f"{word.says} ({code})"
    return PermanentError(words, subject=url, fix=word.fix, status=status)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
