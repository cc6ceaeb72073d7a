# The staging environment: modules and nothing else.

module "cluster" {
  source = "../../modules/cluster"

  name                = "pytake-staging"
  single_nat_gateway  = true
  public_access_cidrs = var.operator_cidrs
}

module "redis" {
  source = "../../modules/redis"

  name                      = "pytake-staging"
  vpc_id                    = module.cluster.vpc_id
  subnet_ids                = module.cluster.private_subnet_ids
  client_security_group_ids = [module.cluster.node_security_group_id]
  nodes                     = 1
}

module "postgres" {
  source = "../../modules/postgres"

  name                      = "pytake-staging"
  vpc_id                    = module.cluster.vpc_id
  subnet_ids                = module.cluster.private_subnet_ids
  client_security_group_ids = [module.cluster.node_security_group_id]
  multi_az                  = false
  deletion_protection       = false
}

module "monitoring" {
  source = "../../modules/monitoring"

  repository = var.monitoring_repository
}

module "release" {
  source = "../../modules/release"

  chart            = "../../../helm/pytake-realtime"
  host             = var.host
  allowed_origins  = var.allowed_origins
  image            = { registry = var.image_registry }
  peak_connections = 500
  database_url     = module.postgres.url
  redis            = { host = module.redis.host }
  redis_password   = module.redis.password
  jwt_secret       = var.jwt_secret
  trusted_proxies  = [module.cluster.cidr]

  depends_on = [module.monitoring]
}
