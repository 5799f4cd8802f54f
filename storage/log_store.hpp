// The whole log of one replica, put together: recovered, with writer, readers, cache and prewriter. What the
// actors hold.
#pragma once

#include "storage/entry_cache.hpp"
#include "storage/log_reader.hpp"
#include "storage/log_writer.hpp"
#include "storage/prewriter.hpp"
#include "storage/recovery.hpp"

namespace holdfast::storage {

struct log_options {
    recovery_options recovery;
    prewriter_options prewriting;
    log_reader_options reading;
    std::size_t cache_bytes = 128U << 20U;
};

class log_store {
  public:
    // <store>/commitlog. `files` must outlive the log. The prewriter starts with start_prewriting(), so that
    // a start answers first and writes zeros later.
    static result<std::unique_ptr<log_store>> open(file_system& files, const path& store,
                                                   const log_options& options);

    // As recovery found it.
    [[nodiscard]] const recovered_log& recovered() const { return recovered_; }

    // The flusher's, one thread at a time.
    [[nodiscard]] log_writer& writer() { return *writer_; }
    // Everyone's.
    [[nodiscard]] log_reader& reader() { return *reader_; }
    [[nodiscard]] entry_cache& cache() { return cache_; }
    [[nodiscard]] segment_set& segments() { return *recovered_.segments; }

    // log_writer::truncate, after which no reader gives out what was cut. The flusher's, with no write or
    // flush under way. segments().geometry_at(at) says how the log goes on. What the caller puts into the
    // cache itself it must not put in again.
    result<void> truncate(log_position at);

    void start_prewriting();
    // Why it is not getting ahead, if so.
    [[nodiscard]] std::optional<error> prewriting_failure() const;

    // Retention: removes whole segments below `position` and what the cache holds of them. The log's new
    // first position.
    result<log_position> remove_before(log_position position);

  private:
    log_store(recovered_log recovered, const log_options& options);

    const log_options options_;
    recovered_log recovered_;
    entry_cache cache_;
    std::unique_ptr<log_writer> writer_;
    std::unique_ptr<log_reader> reader_;
    std::unique_ptr<prewriter> prewriter_;
};

} // namespace holdfast::storage
