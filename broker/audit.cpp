#include "broker/audit.hpp"

#include "broker/audit_keys.hpp"
#include "broker/audit_links.hpp"
#include "broker/audit_records.hpp"
#include "broker/command.hpp"
#include "broker/state_store.hpp"
#include "storage/hard_state.hpp"
#include "storage/log_search.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace holdfast::broker {
namespace {

// A running node may remove a table or a segment between its being named and its being opened.
constexpr int attempts = 5;

class directory_audit {
  public:
    directory_audit(storage::file_system& files, const storage::path& directory, bool running)
        : files_(files), directory_(directory) {
        report_.running = running;
    }

    result<audit_report> run();

  private:
    result<void> identify();
    void tell(audit_part part, const std::filesystem::path& directory, const char* name,
              const std::optional<error>& failure);
    void open_store();
    void open_keys();
    result<void> open_log();
    void choose_beginning();
    void scan();
    bool scan_from(log_position position);
    // What stands where no valid entry does: whether the log goes on behind it, and from where.
    std::optional<log_position> judge(log_position end, const std::string& reason);
    [[nodiscard]] std::string file_of(log_position position) const;
    [[nodiscard]] std::filesystem::path part(const char* name) const {
        return std::filesystem::path{directory_.native()} / name;
    }

    storage::file_system& files_;
    const storage::path directory_;
    audit_report report_;
    std::string id_;
    std::unique_ptr<storage::derived_store> store_;
    std::unique_ptr<storage::key_index> keys_;
    std::unique_ptr<storage::segment_set> segments_;
    std::optional<link_audit> links_;
    std::optional<key_audit> key_links_;
    log_position durable_;
    bool broken_ = false; // the log, somewhere
};

result<void> directory_audit::identify() {
    const auto state = storage::load_hard_state(files_, directory_ / "hard_state");
    if (!state.ok())
        return state.failure();
    if (!*state)
        return error{errc::not_found, directory_.string() +
                                          " is not a node's data directory: it has no hard_state. Name the "
                                          "directory that storePathRootDir names."};
    id_ = storage::to_string((*state)->id);
    return {};
}

// Whether a failure may be the doing of a running node: then it is tried again.
bool may_pass(const error& failure, bool running) {
    return running && failure.code != errc::not_found && failure.code != errc::invalid_argument &&
           failure.code != errc::not_supported;
}

template <class Store>
struct opened_part {
    std::unique_ptr<Store> store; // also when it is damaged, if it can be opened
    std::optional<error> failure;
};

// With every block verified.
template <class Store>
opened_part<Store> open_verified(const std::filesystem::path& directory, const std::string& id,
                                 bool running) {
    opened_part<Store> part;
    for (int i = 0; i < attempts; ++i) {
        auto opened = Store::open_read_only(directory, id);
        const auto verified = opened.ok() ? (*opened)->verify() : result<void>{opened.failure()};
        part.store = opened.ok() ? std::move(*opened) : nullptr;
        part.failure = verified.ok() ? std::nullopt : std::optional{verified.failure()};
        if (!part.failure || !may_pass(*part.failure, running))
            break;
    }
    return part;
}

// Notes that a part is missing, or tells what is wrong with it.
void directory_audit::tell(audit_part part, const std::filesystem::path& directory, const char* name,
                           const std::optional<error>& failure) {
    if (failure && failure->code == errc::not_found)
        report_.notes.push_back(std::string{"there is no "} + name + " to compare with: " + failure->message);
    else if (failure)
        report_.add(
            {part, directory.string(), std::nullopt, failure->message,
             "stop the node and run `holdfast audit --repair-derived`: it is built again from the log"});
}

void directory_audit::open_store() {
    const auto directory = part("derived");
    links_.emplace(directory, report_);
    auto opened = open_verified<storage::derived_store>(directory, id_, report_.running);
    tell(audit_part::derived_store, directory, "derived store", opened.failure);
    store_ = std::move(opened.store);
    if (!store_)
        return;
    if (const auto durable = load_log_durable(*store_); durable.ok())
        durable_ = *durable;
    links_->compare_with(*store_);
}

void directory_audit::open_keys() {
    const auto directory = part("keys");
    auto opened = open_verified<storage::key_index>(directory, id_, report_.running);
    tell(audit_part::key_index, directory, "key index", opened.failure);
    keys_ = std::move(opened.store);
    if (keys_)
        key_links_.emplace(directory, *keys_, report_);
}

// After the store and the index, so that it has everything that they speak of.
result<void> directory_audit::open_log() {
    const auto directory = directory_ / "commitlog";
    auto opened = storage::segment_set::open_read_only(files_, directory);
    for (int i = 1; i < attempts && !opened.ok() && may_pass(opened.failure(), report_.running); ++i)
        opened = storage::segment_set::open_read_only(files_, directory);
    if (!opened.ok() && opened.failure().code != errc::corrupted)
        return opened.failure();
    if (!opened.ok()) {
        report_.add({audit_part::log, directory.string(), std::nullopt, opened.failure().message,
                     "put the missing file back from a copy or another replica"});
        return {};
    }
    segments_ = std::move(*opened);
    report_.first = segments_->first();
    report_.segments = segments_->list().size();
    return {};
}

std::string directory_audit::file_of(log_position position) const {
    auto found = segments_->find(position);
    if (!found && position > log_position{0})
        found = segments_->find(position - 1);
    return found ? found->name().string() : segments_->directory().string();
}

result<std::optional<log_snapshot>> find_snapshot(const storage::segment_set& segments,
                                                  const storage::segment& where, log_position before) {
    std::optional<log_snapshot> found;
    storage::log_scanner scanner{segments, where.first(), std::min(where.last(), before)};
    for (;;) {
        const auto next = scanner.next();
        // Damage and the end of the log are the main pass's business.
        if (!next.ok() && next.failure().code != errc::corrupted)
            return next.failure();
        if (!next.ok() || !next->has_value())
            return found;
        if ((*next)->header.is_filler())
            continue;
        command_cursor cursor{(*next)->bytes, storage::entry_header_size};
        while (!cursor.done()) {
            const auto command = cursor.next();
            if (!command.ok())
                break;
            if (command->header.kind != command_kind::trim)
                continue;
            auto snapshot = decode_snapshot(command->payload);
            if (!snapshot.ok())
                return snapshot.failure();
            found = std::move(*snapshot);
        }
    }
}

// Where retention has taken the log's beginning, the last snapshot says what was there; a younger one than
// the derived store only if there is no other.
void directory_audit::choose_beginning() {
    if (segments_->first() == log_position{0})
        return;
    const auto all = segments_->list();
    constexpr log_position everything{~std::uint64_t{0}};
    const auto applied = store_ ? store_->applied() : everything;
    using age = link_audit::snapshot_age;
    for (const auto& [before, how_old] :
         {std::pair{applied, age::older_than_store}, std::pair{everything, age::younger_than_store}})
        for (auto one = all.rbegin(); one != all.rend(); ++one) {
            auto snapshot = find_snapshot(*segments_, **one, before);
            if (!snapshot.ok()) {
                report_.add({audit_part::log, (*one)->name().string(), std::nullopt,
                             snapshot.failure().message, "keep the file and report it as a bug"});
                return links_->give_up("a snapshot in the log can't be read");
            }
            // One that speaks of messages that are gone can't be followed.
            if (*snapshot && (*snapshot)->first >= segments_->first())
                return links_->begin_with(std::move(**snapshot), how_old, *segments_);
        }
    report_.add({audit_part::log, segments_->directory().string(), segments_->first(),
                 "the log begins at " + std::to_string(segments_->first().value()) +
                     " and holds no snapshot of what was before: segments were removed by hand",
                 "put the missing files back from a copy or another replica"});
    links_->give_up("what the beginning of the log said is not known");
}

// False where the log is damaged and goes on behind the damage, at report_.end.
bool directory_audit::scan_from(log_position position) {
    storage::log_scanner scanner{*segments_, position, log_position{UINT64_MAX}};
    for (;;) {
        const auto next = scanner.next();
        report_.end = scanner.position();
        if (!next.ok() && next.failure().code != errc::corrupted) {
            report_.add({audit_part::log, file_of(report_.end), report_.end, next.failure().message,
                         "see to the disk; nothing behind this place was looked at"});
            broken_ = true;
            return true;
        }
        if (!next.ok() || !next->has_value()) {
            const auto behind = judge(report_.end, next.ok() ? "the last file ends here" : scanner.reason());
            if (!behind)
                return true;
            report_.end = *behind;
            return false;
        }
        const auto& entry = **next;
        const auto file = segments_->find(entry.header.position)->name().string();
        if (entry.header.is_filler()) {
            ++report_.entries;
        } else if (!check_entry(entry, file, links_->known(), report_)) {
            links_->give_up("an entry of the log does not follow its format");
            broken_ = true;
        }
        links_->apply(entry, file);
        if (key_links_ && !broken_)
            key_links_->add(entry);
    }
}

std::optional<log_position> directory_audit::judge(log_position end, const std::string& reason) {
    const auto witness = storage::find_entry(
        *segments_, end, [&](const storage::entry_header& entry) { return entry.flushed > end; });
    if (!witness.ok()) {
        report_.add({audit_part::log, file_of(end), end, witness.failure().message,
                     "see to the disk; nothing behind this place was looked at"});
        broken_ = true;
        return std::nullopt;
    }
    // A running node may have written on since.
    if (report_.running && end >= durable_) {
        storage::log_scanner again{*segments_, end, end + 1};
        const auto now = again.next();
        if (!witness->found || (now.ok() && now->has_value()))
            return std::nullopt;
    }
    if (!witness->found && end >= durable_) {
        if (witness->anything)
            report_.notes.push_back(
                "behind the end of the log, position " + std::to_string(end.value()) +
                ", stands a part of a batch that was never answered; the next start removes it");
        return std::nullopt;
    }
    const auto evidence = witness->found
                              ? "the entry at " + std::to_string(witness->found->position.value()) +
                                    " was written when everything below " +
                                    std::to_string(witness->found->flushed.value()) + " was flushed"
                              : "everything below " + std::to_string(durable_.value()) + " was flushed";
    const auto position = std::to_string(end.value());
    report_.add({audit_part::log, file_of(end), end,
                 reason + "; this place was once safely on the disk: " + evidence,
                 "put the file back from a copy or another replica. If everything from here to the end of "
                 "the log may "
                 "be lost for good, copy the directory away and start once with acceptDataLoss=" +
                     position});
    broken_ = true;
    links_->give_up("the log is damaged at position " + position);
    const auto next =
        storage::find_entry(*segments_, end + 1, [](const storage::entry_header&) { return true; });
    return next.ok() && next->found ? std::optional{next->found->position} : std::nullopt;
}

void directory_audit::scan() {
    choose_beginning();
    auto from = segments_->first();
    while (!scan_from(from))
        from = report_.end;
    links_->finish(report_.end);
    if (key_links_ && !broken_)
        key_links_->finish(*segments_, segments_->first(), report_.end);
    else if (key_links_)
        report_.notes.emplace_back("the key index was not compared, because the log is damaged");
}

result<audit_report> directory_audit::run() {
    if (auto identified = identify(); !identified.ok())
        return identified.failure();
    open_store();
    open_keys();
    if (auto opened = open_log(); !opened.ok())
        return opened.failure();
    if (segments_)
        scan();
    return std::move(report_);
}

} // namespace

result<audit_report> audit(storage::file_system& files, const storage::path& directory, bool running) {
    return directory_audit{files, directory, running}.run();
}

} // namespace holdfast::broker
