"""Reviews as they come out of a plan, of any size, without a plan."""

from dataclasses import replace
from functools import cache

from build.review.changes import (
    Change,
    CodeChange,
    DependencyChange,
    FileChange,
    FunctionReview,
    ImportTime,
    KeyChange,
    LayerReview,
    SettingChange,
    TriggerChange,
)
from build.review.words import (
    Cost,
    Costs,
    Direction,
    Drift,
    Grant,
    Loss,
    Note,
    Reason,
    Resource,
    Review,
    Running,
    Verdict,
)

ACCOUNT = "123456789012"
AWKWARD = 'we|rd`<script>alert("1")</script> @team\n# not a heading & [a](https://example.invalid).py'
"""A path that a file can really have."""
_NAMES = "orders invoices refunds customers mailer stock prices search exports reports".split()


def name_of(number: int) -> str:
    """Return the name of the function ``number``: orders, invoices, … orders-2, …"""
    turn, place = divmod(number, len(_NAMES))
    return f"{_NAMES[place]}-{turn + 1}" if turn else _NAMES[place]


@cache
def sample(functions: int = 1) -> Review:
    """Return a review of ``functions`` changed functions.

    The first has a change of every kind, the second is new, the third goes with its queue, the fourth has names that
    nobody should have; all others get a new runtime and a new version of requests. Verdict: dangerous.
    """
    makers = (_full, _added, _removed, _awkward)
    reviews = [makers[n](name_of(n)) if n < len(makers) else _ordinary(name_of(n)) for n in range(functions)]
    return Review(
        env="prod",
        repository="shop",
        at="2026-02-03T10:11:12Z",
        commit="c0ffee0" + "1" * 33,
        commit_url=f"https://github.com/example/shop/commit/c0ffee0{'1' * 33}",
        compare_url=f"https://github.com/example/shop/compare/{'ab12cd3' + '0' * 33}...{'c0ffee0' + '1' * 33}",
        running=Running(
            id="20260131T120000Z-1a2b3c4d",
            at="2026-01-31T12:00:00Z",
            commit="ab12cd3" + "0" * 33,
            dirty=False,
            url=f"https://github.com/example/shop/commit/{'ab12cd3' + '0' * 33}",
        ),
        verdict=Verdict.DANGEROUS,
        reasons=_reasons(reviews),
        functions=tuple(sorted(reviews, key=lambda each: each.name)),
        unchanged=2,
        layers=(_layer(functions),),
        grants=_grants(functions),
        public=(
            Note(
                subject="functions/orders",
                address='module.function_url["orders"].aws_lambda_function_url.this',
                text="its function URL asks nobody for credentials",
            ),
        ),
        losses=_losses(functions),
        interruptions=(
            Note(
                subject="functions/orders",
                address='module.queue_trigger["orders/incoming"].aws_sqs_queue.this',
                text="the queue shop-prod-orders-incoming is made anew: senders fail until they know the new one",
            ),
            Note(
                subject="functions/orders",
                address='module.lambda_function["orders"].aws_lambda_function.this',
                text="reserved_concurrency 20 → 5: invocations beyond it are throttled",
            ),
        ),
        costs=_costs(),
        drift=(
            Drift(
                subject="functions/orders",
                address='module.lambda_function["orders"].aws_lambda_function.this',
                kind="function",
                name="shop-prod-orders",
                change=Change.CHANGED,
                attributes=("environment[0].variables", "timeout"),
                is_undone=True,
            ),
            Drift(
                subject="aws_dynamodb_table.orders",
                address="aws_dynamodb_table.orders",
                kind="DynamoDB table",
                name="orders-prod",
                change=Change.CHANGED,
                attributes=("tags.owner",),
                is_undone=False,
            ),
        ),
        resources=_resources(reviews),
        outputs=(KeyChange(name="functions", change=Change.CHANGED), KeyChange(name="layers", change=Change.CHANGED)),
        stacks=(),
        commands=(
            "export TF_DATA_DIR=.artifacts/prod/terraform",
            "terraform -chdir=terraform init -backend-config=envs/prod.s3.tfbackend -reconfigure -lockfile=readonly",
            "terraform -chdir=terraform show .artifacts/prod/plan.tfplan",
            "terraform -chdir=terraform apply .artifacts/prod/plan.tfplan",
        ),
        digest="5" * 64,
    )


@cache
def empty() -> Review:
    """Return the review of a plan that changes nothing."""
    return replace(
        sample(1),
        verdict=Verdict.SAFE,
        reasons=(),
        functions=(),
        unchanged=30,
        layers=(),
        grants=(),
        public=(),
        losses=(),
        interruptions=(),
        costs=replace(_costs(), items=(), direction=Direction.SAME, monthly_usd=(0.0, 0.0)),
        drift=(),
        resources=(),
        outputs=(),
    )


def _full(name: str) -> FunctionReview:
    return FunctionReview(
        name=name,
        function_name=f"shop-prod-{name}",
        stack="",
        change=Change.CHANGED,
        live="41",
        code=CodeChange(
            before_digest="1c168adb" * 8,
            after_digest="18f6b020" * 8,
            is_known=True,
            files=(
                FileChange(path="app.py", change=Change.CHANGED, before_bytes=1834, after_bytes=2011),
                FileChange(path="order_book.py", change=Change.ADDED, before_bytes=None, after_bytes=6120),
                FileChange(path="templates/old.txt", change=Change.REMOVED, before_bytes=311, after_bytes=None),
            ),
            dependencies=(
                DependencyChange(
                    name="pydantic",
                    before="1.10.22",
                    after="2.12.5",
                    step="major",
                    before_bytes=411200,
                    after_bytes=611900,
                ),
                DependencyChange(
                    name="pydantic-core", before=None, after="2.41.5", step="added", before_bytes=0, after_bytes=4310222
                ),
                DependencyChange(
                    name="requests",
                    before="2.32.3",
                    after="2.32.5",
                    step="patch",
                    before_bytes=201000,
                    after_bytes=201410,
                ),
                DependencyChange(
                    name="simplejson", before="3.19.3", after=None, step="removed", before_bytes=98100, after_bytes=0
                ),
            ),
            zip_bytes=(1_240_331, 3_188_004),
            unzipped_bytes=(4_121_900, 9_430_118),
        ),
        import_time=ImportTime(before_s=0.212, after_s=0.384, noise_s=0.02),
        settings=(
            SettingChange(name="memory_mb", before="512", after="1024"),
            SettingChange(name="reserved_concurrency", before="20", after="5"),
            SettingChange(name="timeout_s", before="30", after="60"),
        ),
        environment=(
            KeyChange(name="LOG_LEVEL", change=Change.CHANGED),
            KeyChange(name="OLD_TABLE", change=Change.REMOVED),
            KeyChange(name="TABLE", change=Change.ADDED),
        ),
        triggers=(
            TriggerChange(kind="http", name="POST /orders/{id}", change=Change.ADDED),
            TriggerChange(
                kind="queue",
                name="incoming",
                change=Change.REPLACED,
                settings=(SettingChange(name="batch_size", before="10", after="100"),),
            ),
        ),
        layers=(KeyChange(name="data", change=Change.CHANGED),),
        others=("log group changed (retention_in_days)",),
    )


def _added(name: str) -> FunctionReview:
    return FunctionReview(
        name=name,
        function_name=f"shop-prod-{name}",
        stack="",
        change=Change.ADDED,
        live=None,
        code=CodeChange(
            before_digest=None,
            after_digest="6105d6cc" * 8,
            is_known=True,
            files=(FileChange(path="app.py", change=Change.ADDED, before_bytes=None, after_bytes=900),),
            dependencies=tuple(
                DependencyChange(
                    name=each, before=None, after="3.1.0", step="added", before_bytes=0, after_bytes=81_200
                )
                for each in "certifi charset-normalizer httpcore httpx idna sniffio".split()
            ),
            zip_bytes=(0, 204_100),
            unzipped_bytes=(0, 488_100),
        ),
        triggers=(TriggerChange(kind="http", name=f"GET /{name}", change=Change.ADDED),),
    )


def _removed(name: str) -> FunctionReview:
    return FunctionReview(
        name=name,
        function_name=f"shop-prod-{name}",
        stack="",
        change=Change.REMOVED,
        live="7",
        code=CodeChange(before_digest="3a6eb079" * 8, after_digest=None, is_known=False),
        triggers=(TriggerChange(kind="queue", name="waiting", change=Change.REMOVED),),
    )


def _awkward(name: str) -> FunctionReview:
    return FunctionReview(
        name=name,
        function_name=f"shop-prod-{name}",
        stack="",
        change=Change.CHANGED,
        live="3",
        code=CodeChange(
            before_digest="2b" * 32,
            after_digest="2c" * 32,
            is_known=True,
            files=(
                FileChange(path=AWKWARD, change=Change.ADDED, before_bytes=None, after_bytes=1),
                *(
                    FileChange(path=f"data/{n:03}.json", change=Change.CHANGED, before_bytes=n, after_bytes=n + 1)
                    for n in range(120)
                ),
            ),
            zip_bytes=(90_000, 90_010),
            unzipped_bytes=(200_000, 200_120),
        ),
        import_time=ImportTime(not_measured=f"the new code fails with ModuleNotFoundError ({AWKWARD})"),
        settings=(SettingChange(name="description", before="<b>old</b> | @all", after=AWKWARD),),
    )


def _ordinary(name: str) -> FunctionReview:
    return FunctionReview(
        name=name,
        function_name=f"shop-prod-{name}",
        stack="",
        change=Change.CHANGED,
        live="12",
        code=CodeChange(
            before_digest="4d" * 32,
            after_digest="4e" * 32,
            is_known=True,
            dependencies=(
                DependencyChange(
                    name="requests",
                    before="2.32.3",
                    after="2.32.5",
                    step="patch",
                    before_bytes=201000,
                    after_bytes=201410,
                ),
            ),
            zip_bytes=(411_000, 411_300),
            unzipped_bytes=(1_204_000, 1_204_410),
        ),
        import_time=ImportTime(before_s=0.301, after_s=0.312, noise_s=0.05),
        settings=(SettingChange(name="runtime", before="python3.12", after="python3.13"),),
    )


def _layer(functions: int) -> LayerReview:
    return LayerReview(
        name="data",
        change=Change.CHANGED,
        functions=tuple(sorted(name_of(n) for n in range(functions) if n % 3 == 0)),
        code=CodeChange(
            before_digest="7f" * 32,
            after_digest="8a" * 32,
            is_known=True,
            dependencies=(
                DependencyChange(
                    name="numpy",
                    before="2.2.6",
                    after="2.5.5",
                    step="minor",
                    before_bytes=61_000_000,
                    after_bytes=62_100_000,
                ),
            ),
            zip_bytes=(21_000_000, 21_300_000),
            unzipped_bytes=(71_000_000, 72_100_000),
        ),
    )


def _grants(functions: int) -> tuple[Grant, ...]:
    orders = f"arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/orders-prod"
    gained = [
        Grant(
            subject="functions/orders",
            address='module.execution_role["orders"].aws_iam_role_policy.this',
            kind="role",
            gained=True,
            who="functions/orders",
            text=f"may now dynamodb:PutItem on table/orders-prod ({orders})",
            actions=("dynamodb:PutItem",),
            resources=(orders,),
        ),
        Grant(
            subject="functions/orders",
            address='module.execution_role["orders"].aws_iam_role_policy.this',
            kind="role",
            gained=True,
            who="functions/orders",
            text="may now s3:GetObject on everything (*)",
            actions=("s3:GetObject",),
            resources=("*",),
            wildcards=("*",),
            reason="reads whatever bucket the event names",
        ),
        Grant(
            subject="functions/orders",
            address='module.function_url["orders"].aws_lambda_permission.url',
            kind="resource",
            gained=True,
            who="anyone",
            text="may now lambda:InvokeFunctionUrl on functions/orders",
            actions=("lambda:InvokeFunctionUrl",),
            resources=("functions/orders",),
            wildcards=("*",),
            is_public=True,
        ),
        *(
            Grant(
                subject=f"functions/{name_of(n)}",
                address=f'module.execution_role["{name_of(n)}"].aws_iam_role_policy.this',
                kind="role",
                gained=True,
                who=f"functions/{name_of(n)}",
                text="may now xray:PutTraceSegments on everything (*)",
                actions=("xray:PutTraceSegments",),
                resources=("*",),
                wildcards=("*",),
                reason="tracing knows no resources",
            )
            for n in range(4, functions, 5)
        ),
    ]
    lost = [
        Grant(
            subject="functions/orders",
            address='module.execution_role["orders"].aws_iam_role_policy.this',
            kind="role",
            gained=False,
            who="functions/orders",
            text=f"may no longer dynamodb:Scan on table/orders-prod ({orders})",
            actions=("dynamodb:Scan",),
            resources=(orders,),
        )
    ]
    return (*gained, *lost)


def _losses(functions: int) -> tuple[Loss, ...]:
    queue = Loss(
        subject="functions/orders",
        address='module.queue_trigger["orders/incoming"].aws_sqs_queue.this',
        kind="queue",
        name="shop-prod-orders-incoming",
        replaced=True,
        lost=("the messages in it", "its URL and ARN"),
        why=("fifo_queue cannot be changed in place",),
        loses_data=True,
    )
    gone = [
        Loss(
            subject="functions/refunds",
            address='module.lambda_function["refunds"].aws_lambda_function.this',
            kind="function",
            name="shop-prod-refunds",
            replaced=False,
            lost=("its published versions, and with them every rollback",),
            why=("no longer in the configuration",),
            loses_data=True,
        ),
        Loss(
            subject="functions/refunds",
            address='module.lambda_function["refunds"].aws_cloudwatch_log_group.this',
            kind="log group",
            name="/aws/lambda/shop-prod-refunds",
            replaced=False,
            lost=("every line logged so far",),
            why=("no longer in the configuration",),
            loses_data=True,
        ),
    ]
    return (queue, *(gone if functions > 2 else ()))


def _costs() -> Costs:
    return Costs(
        direction=Direction.UP,
        monthly_usd=(0.0, 10.95),
        items=(
            Cost(
                subject="functions/orders",
                text="memory_mb 512 → 1024",
                direction=Direction.UP,
                before_usd=8.53,
                after_usd=16.87,
                per="million invocations of 1 s",
            ),
            Cost(
                subject="functions/orders",
                text="provisioned_concurrency none → 1",
                direction=Direction.UP,
                before_usd=None,
                after_usd=10.95,
                per="month",
            ),
        ),
        prices="AWS list prices of us-east-1, 2026-01, https://aws.amazon.com/lambda/pricing/",
        assumes=(
            "No traffic is known: what depends on it is for a million invocations of 1 s.",
            "The free tier and discounts are left out.",
        ),
    )


def _reasons(reviews: list[FunctionReview]) -> tuple[Reason, ...]:
    def reason(rule: str, verdict: Verdict, subject: str, text: str) -> Reason:
        return Reason(rule=rule, verdict=verdict, subject=subject, text=text)

    dangerous = [
        reason(
            "versions-lost" if loss.kind == "function" else "data-lost",
            Verdict.DANGEROUS,
            loss.subject,
            f"{loss.kind} {loss.name} {'is made anew' if loss.replaced else 'is destroyed'}, and with it "
            f"{' and '.join(loss.lost)} ({'; '.join(loss.why)})",
        )
        for loss in _losses(len(reviews))
    ]
    dangerous += [
        reason("made-public", Verdict.DANGEROUS, "functions/orders", "its function URL asks nobody for credentials"),
        reason("wildcard-gained", Verdict.DANGEROUS, "functions/orders", "may now s3:GetObject on everything (*)"),
    ]
    look = [
        reason("iam-gained", Verdict.LOOK, "functions/orders", "may now dynamodb:PutItem on table/orders-prod"),
        reason("dependency-major", Verdict.LOOK, "functions/orders", "pydantic 1.10.22 → 2.12.5"),
        reason("setting", Verdict.LOOK, "functions/orders", "memory_mb 512 → 1024"),
        reason("drift", Verdict.LOOK, "functions/orders", "changed outside Terraform: environment, timeout"),
    ]
    ordinary = [each for each in reviews if each.settings and each.settings[0].name == "runtime"]
    look += [reason("setting", Verdict.LOOK, each.subject, "runtime python3.12 → python3.13") for each in ordinary]
    safe = [reason("dependency", Verdict.SAFE, each.subject, "requests 2.32.3 → 2.32.5") for each in ordinary]
    return (*dangerous, *look, *safe)


def _resources(reviews: list[FunctionReview]) -> tuple[Resource, ...]:
    rows = [
        Resource(
            subject=each.subject,
            address=f'module.lambda_function["{each.name}"].aws_lambda_function.this',
            stack="",
            kind="function",
            name=each.function_name,
            change=each.change,
            attributes=("s3_key", "source_code_hash") if each.change is Change.CHANGED else (),
        )
        for each in reviews
    ]
    rows.append(
        Resource(
            subject="functions/orders",
            address='module.queue_trigger["orders/incoming"].aws_sqs_queue.this',
            stack="",
            kind="queue",
            name="shop-prod-orders-incoming",
            change=Change.REPLACED,
            attributes=("fifo_queue",),
        )
    )
    rows.append(
        Resource(
            subject="module.custom.aws_foo_bar.this",
            address="module.custom.aws_foo_bar.this",
            stack="",
            kind="aws_foo_bar",
            name="",
            change=Change.MOVED,
            attributes=(),
            moved_from="aws_foo_bar.this",
        )
    )
    return tuple(sorted(rows, key=lambda row: row.address))
