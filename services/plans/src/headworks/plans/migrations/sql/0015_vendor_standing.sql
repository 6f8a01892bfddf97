-- Holds a vendor as it is until the transaction ends, or says (HW001) that it may not plan so any more: whoever changes or revokes it
-- waits for this transaction, and this one for whoever came first. A publisher that is no vendor passes.
create function plans.hold_vendor(publisher varchar, site varchar, priority integer, in_shadow boolean) returns void
language plpgsql set lock_timeout = '5s' as $$
declare
    vendor plans.vendors;
begin
    select * into vendor from plans.vendors v where v.name = publisher for share;
    if found and (vendor.revoked_at is not null or vendor.shadow <> in_shadow or site <> all (vendor.sites)
            or priority > vendor.max_priority) then
        raise exception 'vendor % may not plan so any more', publisher using errcode = 'HW001';
    end if;
end $$;

-- plans.accept of submissions with a vendor's among them. Vendors are held before actuators are locked, as where one is revoked.
create function plans.accept_of_vendors(submitted json, wanted json)
returns table (change integer, reply jsonb, known varchar) language plpgsql as $$
begin
    perform plans.hold_vendor(c.publisher, c.site, c.priority, false) from (
        select distinct c.publisher, c.site, c.priority
        from json_populate_recordset(null::plans.change, submitted) c order by 1, 2, 3
    ) c;
    return query select a.change, a.reply, a.known from plans.accept(submitted, wanted) a;
end $$;
