# Prometheus, Alertmanager and Grafana, set so that they find our monitors, rules and dashboards.

terraform {
  required_version = ">= 1.5.7"
  required_providers {
    helm = { source = "hashicorp/helm", version = "~> 3.0" }
  }
}

resource "helm_release" "this" {
  name             = "monitoring"
  namespace        = var.namespace
  create_namespace = true
  repository       = var.repository
  chart            = "kube-prometheus-stack"
  version          = var.chart_version
  values           = concat([file("${path.module}/../../../k8s/platform/kube-prometheus-stack.yaml")], var.extra_values)
}
