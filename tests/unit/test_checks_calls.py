"""What source calls of boto3, without running it."""

import time
from textwrap import dedent

import pytest

from build.checks.calls import calls_in


def read(**sources):
    """Read modules by name, ``a__init`` for the package a; return calls and what cannot be told, as text."""
    modules = {
        name.replace("__init", ".__init__").replace("__", "."): (f"{name}.py", dedent(source).encode())
        for name, source in sources.items()
    }
    calls, unclear = calls_in(modules)
    return {f"{call.service}:{'.'.join(call.path)}" for call in calls}, [(each.place, each.why) for each in unclear]


def called(source, **others):
    calls, unclear = read(app=source, **others)
    assert unclear == []
    return calls


@pytest.mark.parametrize(
    "source",
    [
        "import boto3\nboto3.client('ssm').get_parameter()",
        "import boto3\nboto3.client(service_name='ssm').get_parameter()",
        "import boto3 as aws\naws.client('ssm').get_parameter()",
        "from boto3 import client\nclient('ssm').get_parameter()",
        "from boto3 import client as make\nmake('ssm').get_parameter()",
        "import boto3\nboto3.Session().client('ssm').get_parameter()",
        "import boto3.session\nsession = boto3.session.Session()\nsession.client('ssm').get_parameter()",
        "from boto3.session import Session\nSession().client('ssm').get_parameter()",
        "from botocore.session import get_session\nget_session().create_client('ssm').get_parameter()",
        "import boto3\nNAME = 'ssm'\nboto3.client(NAME).get_parameter()",
        "import boto3\nssm = boto3.client('ssm')\ndef handler(event, context): return ssm.get_parameter()",
        "import boto3\ndef handler(event, context):\n    ssm = boto3.client('ssm')\n    return ssm.get_parameter()",
        "import boto3\nssm = None\ndef f():\n  global ssm\n  ssm = boto3.client('ssm')\ndef g(): ssm.get_parameter()",
        "import boto3\nget = boto3.client('ssm').get_parameter\ndef handler(event, context): return get()",
        "import boto3\nssm = boto3.client('ssm')\npool.map(ssm.get_parameter, [])",
        "import boto3\nssm = boto3.client('ssm')\ngetattr(ssm, 'get_parameter')()",
        "import boto3\nmake = lambda: boto3.client('ssm')\nmake().get_parameter()",
        "import boto3\nif (ssm := boto3.client('ssm')):\n    ssm.get_parameter()",
        "import boto3\nall_ = {'a': boto3.client('ssm'), 'b': 1}\nall_['a'].get_parameter()",
        "import boto3\n[each.get_parameter() for each in [boto3.client('ssm')]]",
        "import boto3\nasync def f():\n    async with boto3.client('ssm') as ssm:\n        await ssm.get_parameter()",
    ],
)
def test_a_client_is_followed_however_it_is_made_and_named(source):
    assert called(source) == {"ssm:get_parameter"}


def test_attributes_of_objects_are_followed():
    source = """
        import boto3
        class Base:
            def __init__(self, secrets): self._secrets = secrets
            def ask(self): self._secrets.get_secret_value()
        class Book(Base):
            table = boto3.client("dynamodb")
            def __init__(self):
                super().__init__(boto3.client("secretsmanager"))
                self._s3: object = boto3.client("s3")
            @property
            def bus(self): return boto3.client("events")
            def put(self):
                self._s3.put_object()
                self.bus.put_events()
                self.table.query()
        Book().put()
    """
    assert called(source) == {
        "secretsmanager:get_secret_value",
        "s3:put_object",
        "events:put_events",
        "dynamodb:query",
    }


def test_fields_of_dataclasses_are_followed():
    source = """
        from dataclasses import dataclass, field
        import boto3
        @dataclass
        class Book:
            ssm: object
            s3: object = field(default_factory=lambda: boto3.client("s3"))
            def take(self):
                self.ssm.put_parameter()
                self.s3.put_object()
        Book(boto3.client("ssm")).take()
    """
    assert called(source) == {"ssm:put_parameter", "s3:put_object"}


def test_a_client_that_own_functions_give_and_take_is_followed():
    source = """
        import boto3, time
        def make(): return boto3.client("iam"), time.time()
        def find(client, name): return client.get_user(UserName=name)
        shared, took = make()
        def handler(event, context):
            client = make()[0] if event else shared
            return find(client, name="ada")
    """
    assert called(source) == {"iam:get_user"}


def test_modules_of_the_source_know_of_each_other():
    app = """
        from clients import s3
        from clients import *
        import store.files, clients
        s3.get_object()
        clients.sqs.send_message()
        queue.receive_message()
        store.files.save()
    """
    calls = called(
        app,
        clients="import boto3\ns3 = boto3.client('s3')\nsqs = queue = boto3.client('sqs')",
        store__init="from store.files import save",
        store__files="from . import place\nfrom .place import bucket\ndef save(): bucket.put_object(place.NAME)",
        store__place="from clients import s3 as bucket\nNAME = ''",
    )
    assert calls == {"s3:get_object", "s3:put_object", "sqs:send_message", "sqs:receive_message"}


def test_paginators_waiters_and_presigned_urls_name_what_they_call():
    source = """
        import boto3
        s3 = boto3.client("s3")
        s3.get_paginator("list_objects_v2").paginate(Bucket="b")
        s3.get_waiter("bucket_exists").wait(Bucket="b")
        s3.generate_presigned_url(ClientMethod="get_object")
        try: ...
        except s3.exceptions.NoSuchKey: ...
    """
    assert called(source) == {"s3:list_objects_v2", "s3:get_waiter.bucket_exists", "s3:get_object"}


def test_resources_are_followed_through_what_they_give():
    source = """
        import boto3
        table = boto3.resource("dynamodb").Table("orders")
        table.put_item(Item={})
        print(table.meta.client.transact_write_items())
        for each in boto3.resource("s3").Bucket("b").objects.all():
            each.delete()
    """
    assert called(source) == {
        "dynamodb:Table",
        "dynamodb:Table.put_item",
        "dynamodb:transact_write_items",
        "s3:Bucket",
        "s3:Bucket.objects",
        "s3:Bucket.objects.all",
        "s3:Bucket.objects.all.delete",
    }


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("boto3.client(os.environ['SERVICE']).publish()", "which service `boto3.client(os.environ['SERVICE'])` is for"),
        ("s3.get_paginator(name)", "which operation `s3.get_paginator(name)` is for"),
        ("getattr(s3, name)()", "what `getattr` does with the s3 client it is given"),
        ("Layer(persistence=s3)", "what `Layer` does with the s3 client it is given"),
        ("Layer(boto3.resource('dynamodb').Table('t'))", "what `Layer` does with the dynamodb client it is given"),
        ("from elsewhere import s3_client\ns3_client.put_object()", "what `s3_client` is in `s3_client.put_object`"),
        ("client = Layer()\nclient.put_object()", "what `client` is in `client.put_object`"),
        ("def save(client): client.put_item()", "what `client` is in `client.put_item`"),
        ("def save(*, orders_table): orders_table.put_item()", "what `orders_table` is in `orders_table.put_item`"),
    ],
)
def test_what_cannot_be_told_is_said_with_its_place(line, why):
    _, unclear = read(app=f"import boto3, os\nfrom elsewhere import Layer, name\ns3 = boto3.client('s3')\n{line}")
    assert unclear == [(f"app.py:{4 + line.count(chr(10))}", why)]


def test_a_name_that_is_bound_twice_is_not_guessed():
    _, unclear = read(app="import boto3\nNAME = 'ssm'\nNAME = NAME.upper()\nboto3.client(NAME)")
    assert unclear == [("app.py:4", "which service `boto3.client(NAME)` is for")]


def test_source_that_is_no_python_is_said_and_the_rest_is_read():
    calls, unclear = read(app="import boto3\nboto3.client('ssm').get_parameter()", broken="\ndef (:")
    assert calls == {"ssm:get_parameter"}
    assert unclear == [("broken.py:2", "what it does: invalid syntax")]


def test_answers_and_other_libraries_are_nobodys_client():
    source = """
        import boto3, json, queue, httpx
        queue.Queue().put_nowait()
        queue.put_nowait()
        http = httpx.Client()
        http.get_bearer()
        table = boto3.resource("dynamodb").Table("t")
        json.dumps(table.get_item()["Item"])
    """
    assert called(source) == {"dynamodb:Table", "dynamodb:Table.get_item"}


def test_a_name_that_leads_on_for_ever_comes_to_an_end():
    source = """
        import boto3, other
        page = boto3.resource("s3").Bucket("b")
        thing = other
        while page:
            page = page.next
            thing = thing.next
            rest = [page, [page]]
    """
    assert "s3:Bucket.next.next" in called(source)


def test_a_module_nested_too_deep_is_said_and_the_rest_is_read():
    deep = "x = " + "+".join(["1"] * 900)
    calls, unclear = read(app="import boto3\nboto3.client('ssm').get_parameter()", deep=deep)
    assert calls == {"ssm:get_parameter"}
    assert unclear == [("deep.py:1", "what it does: too deep")]


def test_code_that_asks_others_again_and_again_is_read_in_no_time():
    chain = "\n".join(f"    node = node.a{n}.b{n}.c{n}().d{n}" for n in range(40))
    source = f"import boto3, other\nnode = other.tree()\nwhile node:\n{chain}\nboto3.client('ssm').get_parameter()"
    began = time.perf_counter()
    calls, _ = read(app=source)
    assert calls == {"ssm:get_parameter"}
    assert time.perf_counter() - began < 5  # it takes some ten milliseconds, unless attributes are multiplied
