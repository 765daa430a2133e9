-- updated_at on every table that has it.
CREATE OR REPLACE TRIGGER trg_reference_filters_updated_at BEFORE UPDATE ON h3.reference_filters
    FOR EACH ROW EXECUTE FUNCTION h3.update_updated_at_column();
CREATE OR REPLACE TRIGGER trg_grid_metadata_updated_at BEFORE UPDATE ON h3.grid_metadata
    FOR EACH ROW EXECUTE FUNCTION h3.update_updated_at_column();
CREATE OR REPLACE TRIGGER trg_zonal_runs_updated_at BEFORE UPDATE ON h3.zonal_runs
    FOR EACH ROW EXECUTE FUNCTION h3.update_updated_at_column();
