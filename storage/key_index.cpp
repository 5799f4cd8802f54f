#include "storage/key_index.hpp"

#include "base/bytes.hpp"
#include "storage/rocksdb_settings.hpp"

#include <boost/sort/spreadsort/integer_sort.hpp>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/iterator.h>
#include <rocksdb/sst_file_writer.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <limits>
#include <optional>

namespace holdfast::storage {

namespace {

constexpr std::string_view identity_key{"\0", 1}; // sorts before every entry, overlaps none
constexpr std::size_t entry_key_bytes = 16;
constexpr std::size_t entry_value_bytes = 8;
constexpr std::uint64_t generation_bytes = std::uint64_t{1} << key_index::generation_bits;
// A marker sorts behind all entries of its generation: no position within a generation is this large.
constexpr std::uint64_t marker_hash = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint32_t marker_place = std::numeric_limits<std::uint32_t>::max();
constexpr int unmerged_bulks_max = 32;

using key_bytes = std::array<std::byte, entry_key_bytes>;

std::uint32_t generation_of(log_position position) {
    const auto generation = position.value() >> key_index::generation_bits;
    HOLDFAST_CHECK(generation <= std::numeric_limits<std::uint32_t>::max());
    return static_cast<std::uint32_t>(generation);
}

key_bytes encode_key(std::uint32_t generation, std::uint64_t hash, std::uint32_t place) {
    key_bytes key;
    store_big(key.data(), generation);
    store_big(key.data() + 4, hash);
    store_big(key.data() + 12, place);
    return key;
}

struct parsed_key {
    std::uint32_t generation;
    std::uint64_t hash;
    std::uint32_t place;

    [[nodiscard]] log_position position() const {
        return log_position{(std::uint64_t{generation} << key_index::generation_bits) | place};
    }
    [[nodiscard]] bool is_marker() const { return hash == marker_hash && place == marker_place; }
};

std::optional<parsed_key> parse_key(const rocksdb::Slice& key) {
    if (key.size() != entry_key_bytes)
        return std::nullopt;
    const auto* bytes = reinterpret_cast<const std::byte*>(key.data());
    return parsed_key{load_big<std::uint32_t>(bytes), load_big<std::uint64_t>(bytes + 4),
                      load_big<std::uint32_t>(bytes + 12)};
}

rocksdb::Slice slice(byte_view bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

rocksdb::Slice slice(std::string_view bytes) {
    return {bytes.data(), bytes.size()};
}

// The memtable only ever sees the identity; entries arrive as finished tables.
constexpr rocksdb_budget index_budget{std::size_t{256} << 10U, std::size_t{4} << 20U};

rocksdb::Options index_options() {
    auto options = quiet_rocksdb(index_budget);
    options.num_levels = 2;
    options.level0_file_num_compaction_trigger = unmerged_bulks_max;
    options.target_file_size_base = std::size_t{32} << 20U;
    options.compaction_pri = rocksdb::kOldestSmallestSeqFirst;
    return options;
}

// By hash, then by position. A radix sort on the hash takes a third of std::sort's time; it leaves those of
// one hash as they come.
void sort_by_hash(std::span<key_entry> entries) {
    boost::sort::spreadsort::integer_sort(
        entries.begin(), entries.end(),
        [](const key_entry& entry, unsigned shift) { return entry.hash >> shift; },
        [](const key_entry& left, const key_entry& right) { return left.hash < right.hash; });
    for (auto first = entries.begin(); first != entries.end();) {
        auto last = std::next(first);
        while (last != entries.end() && last->hash == first->hash)
            ++last;
        if (last - first > 1)
            std::sort(first, last, [](const key_entry& left, const key_entry& right) {
                return left.position < right.position;
            });
        first = last;
    }
}

// The table of one generation.
rocksdb::Status write_table(const rocksdb::Options& options, const std::filesystem::path& file,
                            std::span<const key_entry> sorted, const log_position* marker) {
    rocksdb::SstFileWriter writer{rocksdb::EnvOptions{}, options};
    auto status = writer.Open(file.string());
    const key_entry* previous = nullptr;
    std::array<std::byte, entry_value_bytes> value;
    for (const auto& entry : sorted) {
        if (!status.ok())
            return status;
        if (previous != nullptr && previous->hash == entry.hash && previous->position == entry.position)
            continue;
        previous = &entry;
        const auto place = static_cast<std::uint32_t>(entry.position.value() % generation_bytes);
        const auto key = encode_key(generation_of(entry.position), entry.hash, place);
        store_little(value.data(), entry.stored_at.value());
        status = writer.Put(slice(key), slice(value));
    }
    if (status.ok() && marker != nullptr) {
        const auto key = encode_key(generation_of(*marker), marker_hash, marker_place);
        store_little(value.data(), marker->value());
        status = writer.Put(slice(key), slice(value));
    }
    return status.ok() ? writer.Finish() : status;
}

} // namespace

std::uint64_t hash_key(std::string_view topic, std::string_view key) {
    // Nearly all are short; the streaming form costs more than the copy.
    std::array<char, 256> joined;
    if (topic.size() + 1 + key.size() <= joined.size()) {
        std::memcpy(joined.data(), topic.data(), topic.size());
        joined[topic.size()] = '#';
        std::memcpy(joined.data() + topic.size() + 1, key.data(), key.size());
        return XXH3_64bits(joined.data(), topic.size() + 1 + key.size());
    }
    std::string text{topic};
    text.append("#").append(key);
    return XXH3_64bits(text.data(), text.size());
}

// Lets merges forget what drop_below has hidden.
class key_index::generation_filter : public rocksdb::CompactionFilter {
  public:
    std::atomic<std::uint64_t> first{0};

    const char* Name() const override { return "holdfast.key_index.generation"; }
    bool Filter(int /*level*/, const rocksdb::Slice& key, const rocksdb::Slice& /*value*/,
                std::string* /*new_value*/, bool* /*value_changed*/) const override {
        const auto parsed = parse_key(key);
        return parsed && parsed->generation < generation_of(log_position{first.load()});
    }
};

key_index::key_index(std::filesystem::path directory, std::unique_ptr<generation_filter> filter,
                     std::unique_ptr<rocksdb::DB> database)
    : directory_(std::move(directory)), filter_(std::move(filter)), database_(std::move(database)) {}

key_index::~key_index() = default;

result<std::unique_ptr<key_index>> key_index::open(const std::filesystem::path& directory,
                                                   std::string_view log_id) {
    if (auto created = create_directory_durably(directory); !created)
        return created.failure();
    auto filter = std::make_unique<generation_filter>();
    auto options = index_options();
    options.compaction_filter = filter.get();
    rocksdb::DB* opened = nullptr;
    const auto status = rocksdb::DB::Open(options, directory.string(), &opened);
    if (!status.ok())
        return to_error(status, "open the key index", directory);
    std::unique_ptr<key_index> index{
        new key_index{directory, std::move(filter), std::unique_ptr<rocksdb::DB>{opened}}};
    if (auto adopted = index->adopt(log_id); !adopted)
        return adopted.failure();
    // Tables that were being written when the process ended belong to no bulk.
    std::error_code failed;
    std::filesystem::remove_all(index->staging(), failed);
    if (!failed)
        std::filesystem::create_directory(index->staging(), failed);
    if (failed)
        return error{errc::io_failed,
                     "could not empty " + index->staging().string() + ": " + failed.message()};
    return index;
}

result<std::unique_ptr<key_index>> key_index::open_read_only(const std::filesystem::path& directory,
                                                             std::string_view log_id) {
    auto opened = open_rocksdb_read_only(index_budget, directory, "open the key index");
    if (!opened)
        return opened.failure();
    std::unique_ptr<key_index> index{
        new key_index{directory, std::make_unique<generation_filter>(), std::move(*opened)}};
    std::string identity;
    const auto status = index->database_->Get({}, slice(identity_key), &identity);
    if (!status.ok() && !status.IsNotFound())
        return to_error(status, "read", directory);
    if (auto checked = check_identity(identity, format_version, log_id, directory); !checked)
        return checked.failure();
    if (auto marked = index->read_marker(); !marked)
        return marked.failure();
    return index;
}

result<void> key_index::destroy(const std::filesystem::path& directory) {
    return remove_rocksdb(directory);
}

result<void> key_index::adopt(std::string_view log_id) {
    std::string identity;
    auto status = database_->Get({}, slice(identity_key), &identity);
    if (status.IsNotFound()) {
        rocksdb::WriteOptions without_log;
        without_log.disableWAL = true;
        status = database_->Put(without_log, slice(identity_key), encode_identity(format_version, log_id));
        if (status.ok())
            status = database_->Flush({});
        return status.ok() ? result<void>{} : to_error(status, "create the key index", directory_);
    }
    if (!status.ok())
        return to_error(status, "read", directory_);
    if (auto checked = check_identity(identity, format_version, log_id, directory_); !checked)
        return checked.failure();
    return read_marker();
}

// The last key of all is the marker of the last bulk. Where retention has taken it away, nothing is known and
// the log is indexed again from its beginning, which adds what is there already and changes nothing.
result<void> key_index::read_marker() {
    const std::unique_ptr<rocksdb::Iterator> last{database_->NewIterator({})};
    last->SeekToLast();
    if (!last->Valid())
        return to_error(last->status(), "read", directory_);
    const auto key = parse_key(last->key());
    if (key && key->is_marker() && last->value().size() == entry_value_bytes)
        indexed_until_ = load_little<std::uint64_t>(reinterpret_cast<const std::byte*>(last->value().data()));
    return {};
}

result<void> key_index::add(std::span<const key_entry> entries, log_position indexed_until) {
    HOLDFAST_CHECK(indexed_until >= this->indexed_until());
    HOLDFAST_CHECK(std::all_of(entries.begin(), entries.end(), [indexed_until](const key_entry& entry) {
        return entry.position < indexed_until;
    }));
    std::vector<std::string> tables;
    auto status = write_tables({entries.begin(), entries.end()}, indexed_until, tables);
    if (status.ok()) {
        rocksdb::IngestExternalFileOptions adopting;
        adopting.move_files = true;
        adopting.snapshot_consistency = false;
        adopting.write_global_seqno = false;
        status = database_->IngestExternalFile(tables, adopting);
    }
    if (!status.ok()) {
        for (const auto& table : tables) {
            std::error_code ignored; // what stays is overwritten by the next bulk or removed by the next open
            std::filesystem::remove(table, ignored);
        }
        return to_error(status, "add keys to", directory_);
    }
    indexed_until_.store(indexed_until.value(), std::memory_order_release);
    return {};
}

// One table per generation, oldest first; the last one, that of `indexed_until`, gets the marker and may hold
// nothing else.
rocksdb::Status key_index::write_tables(std::vector<key_entry> entries, log_position indexed_until,
                                        std::vector<std::string>& tables) const {
    const auto options = index_options();
    std::span<key_entry> rest{entries};
    for (bool last = false; !last;) {
        auto generation = generation_of(indexed_until);
        for (const auto& entry : rest)
            generation = std::min(generation, generation_of(entry.position));
        last = generation == generation_of(indexed_until);
        const auto behind = std::partition(rest.begin(), rest.end(), [generation](const key_entry& entry) {
            return generation_of(entry.position) == generation;
        });
        const auto mine = rest.first(static_cast<std::size_t>(behind - rest.begin()));
        sort_by_hash(mine);
        tables.push_back((staging() / (std::to_string(generation) + ".sst")).string());
        const auto status = write_table(options, tables.back(), mine, last ? &indexed_until : nullptr);
        if (!status.ok())
            return status;
        rest = rest.subspan(mine.size());
    }
    return rocksdb::Status::OK();
}

result<std::vector<found_key>> key_index::find(std::uint64_t hash, timestamp_ms begin, timestamp_ms end,
                                               std::size_t limit) const {
    std::vector<found_key> found;
    const log_position floor{filter_->first.load(std::memory_order_acquire)};
    const auto lower = encode_key(generation_of(floor), 0, 0);
    const auto lower_slice = slice(lower);
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &lower_slice;
    const std::unique_ptr<rocksdb::Iterator> at{database_->NewIterator(options)};
    at->SeekToLast();
    auto generation = at->Valid() ? parse_key(at->key())->generation : 0;
    while (at->Valid() && found.size() < limit) {
        at->SeekForPrev(slice(encode_key(generation, hash, marker_place - 1)));
        for (; at->Valid() && found.size() < limit; at->Prev()) {
            const auto key = parse_key(at->key());
            if (key->generation != generation || key->hash != hash || key->position() < floor)
                break;
            if (at->value().size() != entry_value_bytes)
                return error{errc::corrupted,
                             "an entry of the key index has the wrong size; " + rebuild_hint(directory_)};
            const timestamp_ms stored_at{
                load_little<std::int64_t>(reinterpret_cast<const std::byte*>(at->value().data()))};
            if (stored_at >= begin && stored_at <= end)
                found.push_back({key->position(), stored_at});
        }
        // Now before all of this hash: in this generation still, or already in the next one that has entries.
        const auto next = at->Valid() ? parse_key(at->key())->generation : 0;
        if (next == generation && generation == 0)
            break;
        generation = next == generation ? generation - 1 : next;
    }
    if (!at->status().ok())
        return to_error(at->status(), "read", directory_);
    return found;
}

result<void> key_index::scan(log_position first, log_position last,
                             const std::function<void(const key_entry&)>& visit) const {
    const auto lower = encode_key(generation_of(first), 0, 0);
    const auto lower_slice = slice(lower);
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &lower_slice;
    options.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> at{database_->NewIterator(options)};
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
        const auto key = parse_key(at->key());
        if (!key || at->value().size() != entry_value_bytes)
            return error{errc::corrupted,
                         "an entry of the key index has the wrong size; " + rebuild_hint(directory_)};
        const auto position = key->position();
        if (key->is_marker() || position < first || position >= last)
            continue;
        visit({key->hash, position,
               timestamp_ms{
                   load_little<std::int64_t>(reinterpret_cast<const std::byte*>(at->value().data()))}});
    }
    return at->status().ok() ? result<void>{} : to_error(at->status(), "read", directory_);
}

result<void> key_index::verify() const {
    return verify_rocksdb(*database_, directory_);
}

result<void> key_index::drop_below(log_position first) {
    if (first.value() <= filter_->first.load())
        return {};
    filter_->first.store(first.value(), std::memory_order_release);
    const auto lowest = encode_key(0, 0, 0);
    const auto end = encode_key(generation_of(first), 0, 0);
    const auto lowest_slice = slice(lowest);
    const auto end_slice = slice(end);
    const rocksdb::RangePtr below{&lowest_slice, &end_slice};
    const auto status = rocksdb::DeleteFilesInRanges(database_.get(), database_->DefaultColumnFamily(),
                                                     &below, 1, /*include_end=*/false);
    return status.ok() ? result<void>{} : to_error(status, "drop old keys from", directory_);
}

} // namespace holdfast::storage
