#include "storage/key_index.hpp"

#include "base/bytes.hpp"
#include "storage/key_rows.hpp"
#include "storage/rocksdb_settings.hpp"

#include <rocksdb/compaction_filter.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/iterator.h>
#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <tuple>

namespace holdfast::storage {

namespace {

constexpr std::string_view identity_key{"\0", 1}; // sorts before every row, overlaps none
constexpr std::size_t key_size = 14;
constexpr std::size_t marker_value_bytes = 8;
// A marker sorts behind all rows of its generation.
constexpr std::uint16_t marker_bucket = std::numeric_limits<std::uint16_t>::max();
static_assert(key_buckets <= marker_bucket);
constexpr std::uint64_t last_bulk = std::numeric_limits<std::uint64_t>::max();
constexpr int unmerged_bulks_max = 32;

using key_bytes = std::array<std::byte, key_size>;

std::uint32_t generation_of(log_position position) {
    const auto generation = position.value() >> key_index::generation_bits;
    HOLDFAST_CHECK(generation <= std::numeric_limits<std::uint32_t>::max());
    return static_cast<std::uint32_t>(generation);
}

log_position beginning_of(std::uint64_t generation) {
    return log_position{generation << key_index::generation_bits};
}

key_bytes encode_key(std::uint32_t generation, std::uint16_t bucket, std::uint64_t bulk) {
    key_bytes key;
    store_big(key.data(), generation);
    store_big(key.data() + 4, bucket);
    store_big(key.data() + 6, bulk);
    return key;
}

struct parsed_key {
    std::uint32_t generation;
    std::uint16_t bucket;
    std::uint64_t bulk;

    [[nodiscard]] bool is_marker() const { return bucket == marker_bucket; }
    [[nodiscard]] bool is_of(std::uint32_t one_generation, std::uint16_t one_bucket) const {
        return generation == one_generation && bucket == one_bucket;
    }
};

std::optional<parsed_key> parse_key(const rocksdb::Slice& key) {
    if (key.size() != key_size)
        return std::nullopt;
    const auto* bytes = reinterpret_cast<const std::byte*>(key.data());
    return parsed_key{load_big<std::uint32_t>(bytes), load_big<std::uint16_t>(bytes + 4),
                      load_big<std::uint64_t>(bytes + 6)};
}

byte_view view(const rocksdb::Slice& slice) {
    return {reinterpret_cast<const std::byte*>(slice.data()), slice.size()};
}

std::optional<parsed_key> key_at(const rocksdb::Iterator& iterator) {
    return iterator.Valid() ? parse_key(iterator.key()) : std::nullopt;
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
    options.compression = rocksdb::kNoCompression; // rows are as narrow as they can be
    options.level0_file_num_compaction_trigger = unmerged_bulks_max;
    options.target_file_size_base = std::size_t{32} << 20U;
    options.compaction_pri = rocksdb::kOldestSmallestSeqFirst;
    return options;
}

// The table of one generation.
rocksdb::Status write_table(const rocksdb::Options& options, const std::filesystem::path& file,
                            std::uint32_t generation, const key_dealer& dealt, log_position indexed_until) {
    rocksdb::SstFileWriter writer{rocksdb::EnvOptions{}, options};
    auto status = writer.Open(file.string());
    std::vector<std::byte> scratch;
    for (std::uint16_t bucket = 0; bucket < key_buckets && status.ok(); ++bucket) {
        const auto entries = dealt.bucket(bucket);
        if (!entries.empty())
            status = writer.Put(slice(encode_key(generation, bucket, indexed_until.value())),
                                slice(pack_key_row(entries, scratch)));
    }
    if (status.ok() && generation == generation_of(indexed_until)) {
        std::array<std::byte, marker_value_bytes> value;
        store_little(value.data(), indexed_until.value());
        status = writer.Put(slice(encode_key(generation, marker_bucket, last_bulk)), slice(value));
    }
    return status.ok() ? writer.Finish() : status;
}

// The lowest generation that has an entry at or above `from`, or that of `end`.
std::uint32_t next_generation(std::span<const key_entry> entries, log_position from, log_position end) {
    auto lowest = end;
    for (const auto& entry : entries)
        if (entry.position >= from)
            lowest = std::min(lowest, entry.position);
    return generation_of(lowest);
}

// What a look-up asks for.
struct wanted_keys {
    std::uint64_t hash = 0;
    timestamp_ms begin;
    timestamp_ms end;
    log_position floor;
    std::size_t limit = 0;
};

// Adds what the row has of it. What is found from `first` on is of one generation and stays in order: newest
// first, each position once, not more than the limit in all.
void take_matches(const key_row& row, const wanted_keys& wanted, std::size_t first,
                  std::vector<found_key>& found) {
    const auto before = found.size();
    for (std::size_t i = 0; i < row.size(); ++i) {
        if (row.hash(i) != wanted.hash)
            continue;
        const auto entry = row.entry(i);
        if (entry.position >= wanted.floor && entry.stored_at >= wanted.begin &&
            entry.stored_at <= wanted.end)
            found.push_back({entry.position, entry.stored_at});
    }
    if (found.size() == before)
        return;
    const auto begin = found.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(begin, found.end(),
              [](const found_key& left, const found_key& right) { return left.position > right.position; });
    const auto same = [](const found_key& left, const found_key& right) {
        return left.position == right.position;
    };
    found.erase(std::unique(begin, found.end(), same), found.end());
    found.resize(std::min(found.size(), wanted.limit));
}

// Gives the entries of one bucket by hash, then by position, each once, and forgets them.
void visit_merged(std::vector<key_entry>& bucket, const std::function<void(const key_entry&)>& visit) {
    std::sort(bucket.begin(), bucket.end(), [](const key_entry& left, const key_entry& right) {
        return std::tuple{left.hash, left.position} < std::tuple{right.hash, right.position};
    });
    const key_entry* previous = nullptr;
    for (const auto& entry : bucket) {
        if (previous == nullptr || previous->hash != entry.hash || previous->position != entry.position)
            visit(entry);
        previous = &entry;
    }
    bucket.clear();
}

} // namespace

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
    if (key && key->is_marker() && last->value().size() == marker_value_bytes)
        indexed_until_ = load_little<std::uint64_t>(view(last->value()).data());
    return {};
}

result<void> key_index::add(std::span<const key_entry> entries, log_position indexed_until) {
    HOLDFAST_CHECK(indexed_until >= this->indexed_until());
    HOLDFAST_CHECK(std::all_of(entries.begin(), entries.end(), [indexed_until](const key_entry& entry) {
        return entry.position < indexed_until;
    }));
    std::vector<std::string> tables;
    auto status = write_tables(entries, indexed_until, tables);
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
rocksdb::Status key_index::write_tables(std::span<const key_entry> entries, log_position indexed_until,
                                        std::vector<std::string>& tables) const {
    const auto options = index_options();
    const auto last = generation_of(indexed_until);
    key_dealer dealer;
    log_position from;
    for (;;) {
        const auto generation = next_generation(entries, from, indexed_until);
        from = beginning_of(std::uint64_t{generation} + 1);
        dealer.deal(entries, beginning_of(generation), from);
        tables.push_back((staging() / (std::to_string(generation) + ".sst")).string());
        const auto status = write_table(options, tables.back(), generation, dealer, indexed_until);
        if (!status.ok() || generation == last)
            return status;
    }
}

error key_index::malformed() const {
    return {errc::corrupted, "a row of the key index has the wrong size; " + rebuild_hint(directory_)};
}

result<std::vector<found_key>> key_index::find(std::uint64_t hash, timestamp_ms begin, timestamp_ms end,
                                               std::size_t limit) const {
    std::vector<found_key> found;
    const wanted_keys wanted{hash, begin, end, log_position{filter_->first.load(std::memory_order_acquire)},
                             limit};
    const auto lower = encode_key(generation_of(wanted.floor), 0, 0);
    const auto lower_slice = slice(lower);
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &lower_slice;
    const std::unique_ptr<rocksdb::Iterator> at{database_->NewIterator(options)};
    const auto bucket = key_bucket_of(hash);
    std::optional<std::uint32_t> generation;
    for (at->SeekToLast(); at->Valid() && found.size() < limit;) {
        const auto key = key_at(*at);
        if (!key)
            return malformed();
        // Before all rows of the bucket just read: in its generation still, or in the next one that has rows.
        if (key->generation == 0 && generation == key->generation)
            break;
        generation = key->generation == generation ? key->generation - 1 : key->generation;
        at->SeekForPrev(slice(encode_key(*generation, bucket, last_bulk)));
        const auto newer = found.size();
        for (auto of = key_at(*at); of && of->is_of(*generation, bucket); of = key_at(*at)) {
            // A row's positions are below the end of its bulk, and those of the newest bulk come first.
            if (found.size() == limit && found.back().position.value() >= of->bulk)
                break;
            const auto row = key_row::parse(view(at->value()));
            if (!row)
                return malformed();
            take_matches(*row, wanted, newer, found);
            at->Prev();
        }
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
    std::vector<key_entry> bucket; // of all rows of the bucket that `current` is of
    std::optional<parsed_key> current;
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
        const auto key = key_at(*at);
        if (!key)
            return malformed();
        if (current && !current->is_of(key->generation, key->bucket))
            visit_merged(bucket, visit);
        current = key;
        if (key->is_marker())
            continue;
        const auto row = key_row::parse(view(at->value()));
        if (!row)
            return malformed();
        for (std::size_t i = 0; i < row->size(); ++i)
            if (const auto entry = row->entry(i); entry.position >= first && entry.position < last)
                bucket.push_back(entry);
    }
    visit_merged(bucket, visit);
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
