#!/usr/bin/env python3
"""Transforms template.yaml as CloudFormation does, with SAM's own translator (it comes with aws-sam-cli), and checks
what the tests in tests/ take for granted about it. Needs no account and no network."""

import logging
import os
import pathlib
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
logging.disable()
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = pathlib.Path(__file__).parent.parent / "template.yaml"


class NoPolicies:
    """No managed policy is named in the template."""

    def load(self):
        return {}


def written():
    return yaml_parse(TEMPLATE.read_text())


def transformed(change=lambda template: None, **parameters):
    template = written()
    change(template)
    for resource in template["Resources"].values():
        if "CodeUri" in resource["Properties"]:
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    chosen = {"EmailSender": "tickets@example.com", "PaymentProvider": "simulated", **parameters}
    return transform(template, chosen, NoPolicies())["Resources"]


def of_type(resources, kind):
    return {name: of["Properties"] for name, of in resources.items() if of["Type"] == kind}


def stages(resources):
    """SAM names its additional stage in the deployment."""
    deployed = [of["StageName"] for of in of_type(resources, "AWS::ApiGateway::Deployment").values() if "StageName" in of]
    return deployed + [of["StageName"] for of in of_type(resources, "AWS::ApiGateway::Stage").values()]


def check(holds, what):
    if not holds:
        sys.exit(f"the transformed template: {what}")


resources = transformed()

check(stages(resources) == [{"Ref": "Stage"}], f"one stage, and not {stages(resources)}")
without = transformed(lambda template: template["Resources"]["Api"]["Properties"].pop("OpenApiVersion"))
check(len(stages(without)) == 2, "without OpenApiVersion SAM adds a stage, so the tests need not ask for it")

(target,) = of_type(resources, "AWS::WAFv2::WebACLAssociation").values()
check("stages/${ApiStage}" in target["ResourceArn"]["Fn::Sub"], "the web ACL is of the stage")
(stage,) = of_type(resources, "AWS::ApiGateway::Stage").values()
(api,) = of_type(resources, "AWS::ApiGateway::RestApi").values()
routes = {(path, method) for path, methods in api["Body"]["paths"].items() for method in methods}
for setting in stage["MethodSettings"]:
    path, method = setting["ResourcePath"].replace("~1", "/").removeprefix("/"), setting["HttpMethod"].lower()
    check("ThrottlingRateLimit" in setting and "ThrottlingBurstLimit" in setting, f"{setting} throttles")
    check((path, method) in routes or (path, method) == ("*", "*"), f"{setting} is of no route")
check(any(setting["ResourcePath"] == "/*" for setting in stage["MethodSettings"]), "every route is throttled")

# What the tests read of the template is deployed as it is written.
source = written()["Resources"]
for name, resource in source.items():
    # `Api.Stage` is SAM's word for the stage.
    if not resource["Type"].startswith("AWS::Serverless::") and "Api.Stage" not in str(resource):
        check(resources[name] == resource, f"{name} is changed")
for name, function in of_type(source, "AWS::Serverless::Function").items():
    deployed = of_type(resources, "AWS::Lambda::Function")[name]
    for key in ["RecursiveLoop", "ReservedConcurrentExecutions", "Role", "LoggingConfig"]:
        check(deployed.get(key) == function.get(key), f"{name} has its {key}")
    for event, of in function["Events"].items():
        if of["Type"] == "SQS":
            mapping = resources[name + event]["Properties"]
            check(mapping["ScalingConfig"] == of["Properties"]["ScalingConfig"], f"{name} is bounded")
            check(mapping["FunctionName"] == {"Ref": f"{name}Aliaslive"}, f"{name} is called by its alias")

for gradual, deployments in ("false", 0), ("true", 7):
    groups = of_type(transformed(GradualDeployment=gradual), "AWS::CodeDeploy::DeploymentGroup")
    check(len(groups) == deployments, f"GradualDeployment={gradual} makes {len(groups)} deployment groups")
    check(all(group["AlarmConfiguration"]["Alarms"] for group in groups.values()), "each watches alarms")

print(f"the transformed template: {len(resources)} resources, 1 stage, {len(routes)} routes")
