variables {
  host            = "api.example.com"
  allowed_origins = ["https://app.example.com"]
  redis           = { host = "redis.internal" }
  database_secret = "pytake-database"
  auth_secret     = "pytake-auth"
}

run "two_gateways_are_the_least" {
  command = plan
  variables {
    peak_connections = 10
  }
  assert {
    condition     = output.gateways.minimum == 2
    error_message = "one gateway has nowhere to move its clients"
  }
}

run "gateways_follow_the_load_with_headroom" {
  command = plan
  variables {
    peak_connections        = 35000
    connections_per_gateway = 5000
  }
  assert {
    condition     = output.gateways.minimum == 10
    error_message = "35,000 at 70 % of 5,000 are ten gateways"
  }
  assert {
    condition     = yamldecode(output.yaml).autoscaling.targetConnectionsPerPod == 3500
    error_message = "autoscaling aims at the same 70 %"
  }
}

run "sentinels_replace_the_host" {
  command = plan
  variables {
    redis = { mode = "sentinel", sentinels = ["a:26379", "b:26379"] }
  }
  assert {
    condition     = yamldecode(output.yaml).redis.sentinels[1] == "b:26379" && !can(yamldecode(output.yaml).redis.host)
    error_message = "a host makes no sense behind sentinels"
  }
}

run "the_proxies_are_those_that_were_named" {
  command = plan
  variables {
    trusted_proxies = ["10.40.0.0/16"]
  }
  assert {
    condition     = yamldecode(output.yaml).trustedProxies[0] == "10.40.0.0/16"
    error_message = "behind an ingress, everybody would share one address"
  }
}

run "a_name_is_no_network" {
  command = plan
  variables {
    trusted_proxies = ["ingress-nginx"]
  }
  expect_failures = [var.trusted_proxies]
}

run "any_origin_is_refused" {
  command = plan
  variables {
    allowed_origins = ["*"]
  }
  expect_failures = [var.allowed_origins]
}

run "a_url_is_no_host" {
  command = plan
  variables {
    host = "https://api.example.com"
  }
  expect_failures = [var.host]
}

run "redis_must_be_somewhere" {
  command = plan
  variables {
    redis = { mode = "cluster" }
  }
  expect_failures = [var.redis]
}

run "none_is_no_algorithm" {
  command = plan
  variables {
    jwt_algorithms = ["HS256", "None"]
  }
  expect_failures = [var.jwt_algorithms]
}
