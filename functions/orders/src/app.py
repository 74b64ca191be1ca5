"""Takes orders over HTTP and from a queue, each order once."""

import json
import os
from dataclasses import asdict
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

import telemetry
from order_book import TAKE_MILLISECONDS, InvalidOrderError, Order, OrderBook, OrderConflictError, Receipt

telemetry.cold_start("aws-lambda-powertools", "boto3")

logger = Logger()
book = OrderBook(os.environ["AWS_LAMBDA_FUNCTION_NAME"])
# A batch of nothing but failures is still an answer: each message goes back on its own account.
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take the order of an HTTP request, or those of a batch of messages."""
    if "Records" in event:
        return dict(process_partial_response(event, take_message, processor, context))
    return take_request(APIGatewayProxyEventV2(event))


def take_request(request: APIGatewayProxyEventV2) -> dict[str, Any]:
    """Answer 201 to a new order, 200 to the same again, 400 to what is no order, 409 to another of the same id."""
    try:
        receipt, is_new = take(request.decoded_body or "")
    except (InvalidOrderError, UnicodeDecodeError) as error:
        return response(400, {"error": str(error)})
    except OrderConflictError as error:
        return response(409, {"error": str(error)})
    return response(201 if is_new else 200, asdict(receipt))


def take_message(record: SQSRecord, lambda_context: LambdaContext) -> None:
    """Take the order in one message; an exception sends this message alone back to the queue."""
    try:
        if lambda_context.get_remaining_time_in_millis() < TAKE_MILLISECONDS:
            # Running into the timeout would send back the whole batch, with what is already done.
            msg = "no time left in this invocation"
            raise TimeoutError(msg)
        take(record.body)
    except Exception:
        # The processor keeps it to itself, so this line is all that tells why.
        logger.exception("message goes back to the queue", message_id=record.message_id)
        raise


def take(text: str) -> tuple[Receipt, bool]:
    """Take the order in `text`, and log it."""
    receipt, is_new = book.take(Order.parse(text))
    logger.info("order taken" if is_new else "order was taken before", order_id=receipt.orderId)
    return receipt, is_new


def response(status: int, body: dict[str, Any]) -> dict[str, Any]:
    """Return an HTTP API response with a JSON body."""
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
