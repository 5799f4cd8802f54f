// The part of an audit that compares what the log means with what the derived store holds.
//
// The log is applied entry by entry. Every queue index entry that comes out is looked up in the store, in
// pieces of 256k; when the store's position is reached, everything else is compared with the state of that
// moment.
#pragma once

#include "broker/audit_deliveries.hpp"
#include "broker/audit_report.hpp"
#include "broker/snapshot.hpp"
#include "broker/state.hpp"
#include "storage/derived_store.hpp"
#include "storage/log_scanner.hpp"

#include <filesystem>
#include <map>
#include <optional>

namespace holdfast::broker {

class link_audit {
  public:
    link_audit(const std::filesystem::path& directory, audit_report& report)
        : directory_(directory.string()), report_(report) {}

    // The store to compare with; without one the log is only applied.
    void compare_with(const storage::derived_store& store);
    // The log begins above 0: what was before comes from its snapshot, as in a start (snapshot.hpp). Reads
    // what lies below the snapshot's `as_of`. Of a snapshot that was written after the store's last
    // checkpoint only the queues' indexes can be compared: its facts are of a later moment.
    enum class snapshot_age : std::uint8_t { older_than_store, younger_than_store };
    void begin_with(log_snapshot snapshot, snapshot_age age, const storage::segment_set& segments);
    // The log begins above 0 and nothing says what was before: nothing can be applied or compared.
    void give_up(std::string why);

    // The next entry, a filler too, which check_entry took. `file` is where it is.
    void apply(const storage::scanned_entry& entry, const std::string& file);
    // No entry follows; the log ends at `end`.
    void finish(log_position end);

    // The state before the next entry, when it is known.
    [[nodiscard]] const state* known() const;

  private:
    void apply_all(const storage::scanned_entry& entry, const std::string& file);
    void pass_snapshot();
    void gather(const state_changes& changes);
    void compare_gathered();
    void compare_run(const queue_run& run);
    void compare_now();
    void give_up_on_store();
    void compare_facts();
    void compare_offsets();
    void compare_locks();
    void compare_queues();
    void compare_stored_runs();
    void complain(std::string what, std::optional<log_position> position = {});
    [[nodiscard]] std::string name_of(queue_key queue) const;

    const std::string directory_;
    audit_report& report_;
    state state_;
    std::optional<std::string> given_up_;

    const storage::derived_store* store_ = nullptr;
    state stored_;
    std::optional<delivery_audit> deliveries_;
    bool compared_ = false;
    bool facts_comparable_ = true;
    bool last_entry_seen_ = false;
    log_position last_entry_;
    log_position applied_until_;

    std::optional<log_snapshot> snapshot_; // until its `as_of` is passed
    log_position begin_;                   // below, entries are not applied

    std::map<queue_key, queue_run> gathered_;
    std::size_t gathered_size_ = 0;
};

} // namespace holdfast::broker
