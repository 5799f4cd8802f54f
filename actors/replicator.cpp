#include "actors/replicator.hpp"

#include "storage/read_entries.hpp"

#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {

replicator_actor::behavior_type replicator(replicator_actor::pointer self, commit_log_actor log,
                                           storage::log_store* store,
                                           std::function<void(log_position)> on_rot) {
    return {[=](read_atom, const entries_wanted_ptr& wanted) {
        auto stretch = storage::read_entries(store->reader(), store->segments(), wanted->what.first,
                                             wanted->end, wanted->what.most_bytes);
        if (!stretch.ok()) {
            spdlog::warn("{} can't be sent what it lacks, from log position {} on: {}", wanted->what.to,
                         wanted->what.first.value(), stretch.failure().message);
            if (stretch.failure().code == errc::corrupted)
                on_rot(wanted->what.first);
            stretch = storage::entry_stretch{{}, wanted->what.first};
        }
        self->send(log, read_atom::value,
                   std::make_shared<broker::entries_read>(broker::entries_read{
                       wanted->what.to, wanted->what.first, stretch->last, std::move(stretch->entries)}));
    }};
}

} // namespace holdfast::actors
