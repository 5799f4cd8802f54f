#include "storage/derived_store.hpp"

#include "base/bytes.hpp"
#include "storage/rocksdb_settings.hpp"

#include <rocksdb/db.h>
#include <rocksdb/iterator.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>

namespace holdfast::storage {

namespace {

// The store's own keys sort before all others.
constexpr std::string_view identity_key{"\0identity", 9};
constexpr std::string_view applied_key{"\0applied", 8};
constexpr std::string_view first_free_key{"\1", 1};

rocksdb::Slice slice(std::string_view bytes) {
    return {bytes.data(), bytes.size()};
}

std::string_view view(const rocksdb::Slice& bytes) {
    return {bytes.data(), bytes.size()};
}

rocksdb::WriteOptions without_log() {
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    return options;
}

template <class T>
void append_integer(std::string& key, T value) {
    std::array<std::byte, sizeof(T)> bytes;
    store_big(bytes.data(), value);
    key.append(as_text(bytes));
}

std::array<std::byte, 8> encode_position(log_position position) {
    std::array<std::byte, 8> bytes;
    store_little(bytes.data(), position.value());
    return bytes;
}

} // namespace

void append_big(std::string& key, std::uint8_t value) {
    key.push_back(static_cast<char>(value));
}

void append_big(std::string& key, std::uint32_t value) {
    append_integer(key, value);
}

void append_big(std::string& key, std::uint64_t value) {
    append_integer(key, value);
}

std::string behind_prefix(std::string_view prefix) {
    const auto last = prefix.find_last_not_of('\xFF');
    HOLDFAST_CHECK(last != std::string_view::npos);
    std::string behind{prefix.substr(0, last + 1)};
    behind.back() = static_cast<char>(static_cast<unsigned char>(behind.back()) + 1U);
    return behind;
}

derived_batch::derived_batch() : changes_(std::make_unique<rocksdb::WriteBatch>()) {}
derived_batch::derived_batch(derived_batch&&) noexcept = default;
derived_batch& derived_batch::operator=(derived_batch&&) noexcept = default;
derived_batch::~derived_batch() = default;

// WriteBatch can only refuse what no caller may ask for (a key of 4 GiB), so refusals are bugs.
void derived_batch::put(std::string_view key, std::string_view value) {
    HOLDFAST_CHECK(key >= first_free_key);
    HOLDFAST_CHECK(changes_->Put(slice(key), slice(value)).ok());
}

void derived_batch::remove(std::string_view key) {
    HOLDFAST_CHECK(key >= first_free_key);
    HOLDFAST_CHECK(changes_->Delete(slice(key)).ok());
}

void derived_batch::remove_range(std::string_view first, std::string_view last) {
    HOLDFAST_CHECK(first >= first_free_key);
    if (first < last)
        HOLDFAST_CHECK(changes_->DeleteRange(slice(first), slice(last)).ok());
}

std::size_t derived_batch::size_bytes() const {
    return changes_->GetDataSize();
}

bool derived_batch::empty() const {
    return changes_->Count() == 0;
}

derived_store::derived_store(std::filesystem::path directory, std::unique_ptr<rocksdb::DB> database)
    : directory_(std::move(directory)), database_(std::move(database)) {}

derived_store::~derived_store() = default;

result<std::unique_ptr<derived_store>> derived_store::open(const std::filesystem::path& directory,
                                                           std::string_view log_id,
                                                           const derived_store_options& options) {
    if (auto created = create_directory_durably(directory); !created)
        return created.failure();
    rocksdb::DB* opened = nullptr;
    const auto status = rocksdb::DB::Open(quiet_rocksdb({options.memtable_bytes, options.cache_bytes}),
                                          directory.string(), &opened);
    if (!status.ok())
        return to_error(status, "open the derived store", directory);
    std::unique_ptr<derived_store> store{new derived_store{directory, std::unique_ptr<rocksdb::DB>{opened}}};
    if (auto adopted = store->adopt(log_id); !adopted)
        return adopted.failure();
    return store;
}

result<std::unique_ptr<derived_store>> derived_store::open_read_only(const std::filesystem::path& directory,
                                                                     std::string_view log_id,
                                                                     const derived_store_options& options) {
    auto opened = open_rocksdb_read_only({options.memtable_bytes, options.cache_bytes}, directory,
                                         "open the derived store");
    if (!opened)
        return opened.failure();
    std::unique_ptr<derived_store> store{new derived_store{directory, std::move(*opened)}};
    const auto identity = store->find(identity_key);
    if (!identity)
        return identity.failure();
    if (auto adopted = store->read_identity(identity->value_or(""), log_id); !adopted)
        return adopted.failure();
    return store;
}

result<void> derived_store::destroy(const std::filesystem::path& directory) {
    return remove_rocksdb(directory);
}

result<void> derived_store::adopt(std::string_view log_id) {
    auto identity = find(identity_key);
    if (!identity)
        return identity.failure();
    if (!identity->has_value()) {
        log_id_ = log_id;
        // The identity is durable before anything else is written, so without it there is nothing at all.
        auto status =
            database_->Put(without_log(), slice(identity_key), encode_identity(format_version, log_id));
        if (status.ok())
            status = database_->Flush({});
        return status.ok() ? result<void>{} : to_error(status, "create the derived store", directory_);
    }
    return read_identity(**identity, log_id);
}

result<void> derived_store::read_identity(std::string_view stored, std::string_view log_id) {
    log_id_ = log_id;
    if (auto checked = check_identity(stored, format_version, log_id, directory_); !checked)
        return checked.failure();
    auto position = find(applied_key);
    if (!position)
        return position.failure();
    if (!position->has_value())
        return {};
    if ((*position)->size() != sizeof(std::uint64_t))
        return error{errc::corrupted,
                     directory_.string() + " has no readable position; " + rebuild_hint(directory_)};
    applied_ = load_little<std::uint64_t>(as_bytes(**position).data());
    durable_ = applied_.load();
    return {};
}

result<void> derived_store::write(derived_batch batch, log_position applied) {
    HOLDFAST_CHECK(applied >= this->applied());
    const auto position = encode_position(applied);
    HOLDFAST_CHECK(batch.changes_->Put(slice(applied_key), slice(as_text(position))).ok());
    const auto status = database_->Write(without_log(), batch.changes_.get());
    if (!status.ok())
        return to_error(status, "write a checkpoint to", directory_);
    applied_.store(applied.value(), std::memory_order_release);
    return {};
}

result<void> derived_store::flush() {
    const auto written = applied();
    const auto status = database_->Flush({});
    if (!status.ok())
        return to_error(status, "flush", directory_);
    durable_.store(written.value(), std::memory_order_release);
    return {};
}

result<void> derived_store::verify() const {
    return verify_rocksdb(*database_, directory_);
}

result<std::optional<std::string>> derived_store::find(std::string_view key) const {
    std::string value;
    const auto status = database_->Get({}, slice(key), &value);
    if (status.IsNotFound())
        return std::optional<std::string>{};
    if (!status.ok())
        return to_error(status, "read", directory_);
    return std::optional{std::move(value)};
}

result<void> derived_store::scan(std::string_view first, std::string_view last, const visitor& visit) const {
    const auto lower = slice(std::max(first, first_free_key));
    const auto upper = slice(last);
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &lower;
    options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> position{database_->NewIterator(options)};
    for (position->SeekToFirst(); position->Valid(); position->Next()) {
        if (!visit(view(position->key()), view(position->value())))
            return {};
    }
    if (!position->status().ok())
        return to_error(position->status(), "read", directory_);
    return {};
}

result<std::optional<std::pair<std::string, std::string>>>
derived_store::seek_at_or_before(std::string_view key, std::string_view lower_bound) const {
    using found = std::optional<std::pair<std::string, std::string>>;
    const auto lower = slice(std::max(lower_bound, first_free_key));
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &lower;
    const std::unique_ptr<rocksdb::Iterator> position{database_->NewIterator(options)};
    position->SeekForPrev(slice(key));
    if (position->Valid())
        return found{{position->key().ToString(), position->value().ToString()}};
    if (!position->status().ok())
        return to_error(position->status(), "read", directory_);
    return found{};
}

} // namespace holdfast::storage
