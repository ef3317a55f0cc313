//! Which records a credential may write.

use std::sync::Arc;

use pyo3::prelude::*;

use super::versions::Versions;
use crate::record::data_scope::DataScope;
use crate::wire;

/// The records of a `data_scope.DataScope`.
#[pyclass(frozen)]
pub struct RecordScope(pub Arc<DataScope>);

/// A record outside a data scope.
#[pyclass(frozen, get_all)]
pub struct RecordOutside {
    index: usize,
    field: &'static str,
    value: String,
}

/// A `data_scope.DataScope`, as far as records are concerned.
#[derive(FromPyObject)]
pub struct DataScopeArgument {
    tenant_id: Vec<i64>,
    organization: Vec<OrganizationArgument>,
    account_id: Vec<String>,
    orig_clients_id: Vec<i64>,
    term_clients_id: Vec<i64>,
    source: Vec<String>,
}

/// A `data_scope.OrganizationScope`.
#[derive(FromPyObject)]
struct OrganizationArgument {
    company: String,
    organization: Option<String>,
}

#[pymethods]
impl RecordScope {
    #[new]
    fn new(scope: DataScopeArgument) -> Self {
        let organizations = scope.organization.into_iter().map(|one| (one.company, one.organization)).collect();
        let scope_of_records = DataScope::of_organizations(organizations)
            .with_texts("source", scope.source)
            .with_texts("account_id", scope.account_id)
            .with_integers("tenant_id", scope.tenant_id)
            .with_integers("orig_clients_id", scope.orig_clients_id)
            .with_integers("term_clients_id", scope.term_clients_id);
        Self(Arc::new(scope_of_records))
    }

    fn record_outside(&self, py: Python<'_>, batch: &[u8]) -> PyResult<Option<RecordOutside>> {
        let found = py.detach(|| wire::record_outside(batch, &self.0))?;
        Ok(found.map(|(index, outside)| RecordOutside { index, field: outside.field, value: outside.value }))
    }

    fn has(&self, versions: &Versions) -> bool {
        versions.0.with_merged(|merged| self.0.outside(merged).is_none())
    }
}
