# ElastiCache for pub/sub and counters: two nodes in two zones, TLS, a password. It holds nothing that may
# not be lost: the store is the truth.

terraform {
  required_version = ">= 1.5.7"
  required_providers {
    aws    = { source = "hashicorp/aws", version = "~> 6.0" }
    random = { source = "hashicorp/random", version = "~> 3.7" }
  }
}

resource "random_password" "this" {
  length  = 48
  special = false
}

resource "aws_elasticache_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "this" {
  name        = "${var.name}-redis"
  description = "Redis of ${var.name}: the cluster's nodes alone"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  for_each                     = toset(var.client_security_group_ids)
  security_group_id            = aws_security_group.this.id
  description                  = "Redis from ${each.value}"
  referenced_security_group_id = each.value
  from_port                    = 6379
  to_port                      = 6379
  ip_protocol                  = "tcp"
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id       = var.name
  description                = "Pub/sub and counters of ${var.name}"
  engine                     = "redis"
  engine_version             = var.engine_version
  node_type                  = var.node_type
  num_cache_clusters         = var.nodes
  automatic_failover_enabled = var.nodes > 1
  multi_az_enabled           = var.nodes > 1
  transit_encryption_enabled = true
  at_rest_encryption_enabled = true
  auth_token                 = random_password.this.result
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.this.id]
  # Nothing in it is worth a snapshot.
  snapshot_retention_limit = 0
  apply_immediately        = false
}
