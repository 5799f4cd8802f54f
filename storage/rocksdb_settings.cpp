#include "storage/rocksdb_settings.hpp"

#include "base/bytes.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/table.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <memory>
#include <system_error>

namespace holdfast::storage {

namespace {

constexpr std::size_t max_log_id_bytes = 64;

class silent_logger : public rocksdb::Logger {
  public:
    silent_logger() : rocksdb::Logger(rocksdb::FATAL_LEVEL) {}
    using rocksdb::Logger::Logv;
    void Logv(const char* /*format*/, va_list /*arguments*/) override {}
    void LogHeader(const char* /*format*/, va_list /*arguments*/) override {}
};

// RocksDB has no code of its own for "somebody else holds LOCK".
bool is_lock_conflict(const rocksdb::Status& status) {
    const auto text = status.ToString();
    return status.IsIOError() && (text.find("lock hold by current process") != std::string::npos ||
                                  text.find("While lock file") != std::string::npos);
}

result<void> sync_directory(const std::filesystem::path& directory) {
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = fd >= 0 && ::fsync(fd) == 0;
    const int reason = errno;
    if (fd >= 0)
        ::close(fd);
    if (!synced)
        return error{errc::io_failed, "could not flush the directory " + directory.string() + ": " +
                                          std::system_category().message(reason)};
    return {};
}

} // namespace

rocksdb::Options quiet_rocksdb(const rocksdb_budget& budget) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.info_log = std::make_shared<silent_logger>();
    options.stats_dump_period_sec = 0;
    options.stats_persist_period_sec = 0;
    options.write_buffer_size = budget.memtable_bytes;
    options.max_write_buffer_number = 2;
    options.arena_block_size = std::min(budget.memtable_bytes / 8, std::size_t{256} << 10U);
    options.max_background_jobs = 2;
    options.max_open_files = 512;
    options.max_file_opening_threads = 1;
    options.skip_stats_update_on_db_open = true;
    options.manifest_preallocation_size = std::size_t{64} << 10U;
    options.max_manifest_file_size = std::size_t{16} << 20U;
    // Written back as it is produced, so that no flush of the log has to queue behind a whole table.
    options.bytes_per_sync = std::size_t{512} << 10U;
    options.compression = rocksdb::kLZ4Compression;
    options.level_compaction_dynamic_level_bytes = true;
    options.target_file_size_base = std::size_t{16} << 20U;
    options.max_bytes_for_level_base = std::size_t{128} << 20U;
    // A checkpoint may be late; a checkpoint that waits for compaction holds up others.
    options.level0_slowdown_writes_trigger = 40;
    options.level0_stop_writes_trigger = 80;

    rocksdb::BlockBasedTableOptions tables;
    tables.block_cache = rocksdb::NewLRUCache(budget.cache_bytes, /*num_shard_bits=*/2);
    tables.cache_index_and_filter_blocks = true;
    tables.block_size = std::size_t{4} << 10U;
    tables.format_version = 5;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(tables));
    return options;
}

result<std::unique_ptr<rocksdb::DB>> open_rocksdb_read_only(const rocksdb_budget& budget,
                                                            const std::filesystem::path& directory,
                                                            std::string_view doing) {
    std::error_code failed;
    if (!std::filesystem::exists(directory / "CURRENT", failed))
        return error{errc::not_found, directory.string() + " does not exist; a start builds it from the log"};
    auto options = quiet_rocksdb(budget);
    options.create_if_missing = false;
    options.max_open_files = -1;
    rocksdb::DB* opened = nullptr;
    const auto status = rocksdb::DB::OpenForReadOnly(options, directory.string(), &opened);
    if (!status.ok())
        return to_error(status, doing, directory);
    return std::unique_ptr<rocksdb::DB>{opened};
}

result<void> verify_rocksdb(rocksdb::DB& database, const std::filesystem::path& directory) {
    const auto status = database.VerifyChecksum();
    return status.ok() ? result<void>{} : to_error(status, "verify", directory);
}

std::string rebuild_hint(const std::filesystem::path& directory) {
    return "it holds nothing that is not in the log: delete " + directory.string() +
           " and start again, and it will be rebuilt";
}

error to_error(const rocksdb::Status& status, std::string_view doing,
               const std::filesystem::path& directory) {
    const auto sentence =
        "could not " + std::string{doing} + " " + directory.string() + ": " + status.ToString();
    if (is_lock_conflict(status))
        return {errc::unavailable, sentence + "; another process has it open: stop that one first"};
    if (status.IsNoSpace())
        return {errc::unavailable, sentence + "; the disk is full: make room"};
    if (status.IsIOError() && status.subcode() != rocksdb::Status::SubCode::kPathNotFound)
        return {errc::io_failed, sentence};
    if (status.IsShutdownInProgress() || status.IsBusy() || status.IsAborted() || status.IsTimedOut())
        return {errc::unavailable, sentence};
    return {errc::corrupted, sentence + "; " + rebuild_hint(directory)};
}

result<void> create_directory_durably(const std::filesystem::path& directory) {
    std::error_code failed;
    if (std::filesystem::create_directories(directory, failed)) {
        const auto parent = std::filesystem::absolute(directory, failed).parent_path();
        return sync_directory(parent);
    }
    if (failed)
        return error{errc::io_failed, "could not create " + directory.string() + ": " + failed.message()};
    return {};
}

result<void> remove_rocksdb(const std::filesystem::path& directory) {
    std::error_code failed;
    if (!std::filesystem::exists(directory, failed))
        return {};
    rocksdb::FileLock* lock = nullptr;
    auto* env = rocksdb::Env::Default();
    const auto locked = env->LockFile((directory / "LOCK").string(), &lock);
    if (!locked.ok())
        return to_error(locked, "delete", directory);
    std::filesystem::remove_all(directory, failed);
    env->UnlockFile(lock);
    if (failed)
        return error{errc::io_failed, "could not delete " + directory.string() + ": " + failed.message()};
    return {};
}

std::string encode_identity(std::uint32_t format_version, std::string_view log_id) {
    HOLDFAST_CHECK(!log_id.empty() && log_id.size() <= max_log_id_bytes);
    std::string identity(4, '\0');
    store_little(reinterpret_cast<std::byte*>(identity.data()), format_version);
    return identity.append(log_id);
}

result<void> check_identity(std::string_view stored, std::uint32_t format_version, std::string_view log_id,
                            const std::filesystem::path& directory) {
    if (stored.size() < 5 || stored.size() > 4 + max_log_id_bytes)
        return error{errc::corrupted,
                     directory.string() + " does not say whose it is; " + rebuild_hint(directory)};
    const auto format = load_little<std::uint32_t>(as_bytes(stored).data());
    if (format != format_version)
        return error{errc::not_supported, directory.string() + " has format " + std::to_string(format) +
                                              ", this program knows format " +
                                              std::to_string(format_version) + "; " +
                                              rebuild_hint(directory)};
    if (stored.substr(4) != log_id)
        return error{errc::invalid_argument,
                     directory.string() + " belongs to the log " + std::string{stored.substr(4)} +
                         ", not to " + std::string{log_id} +
                         ": check the data directory; if it is the right one, " + rebuild_hint(directory)};
    return {};
}

} // namespace holdfast::storage
