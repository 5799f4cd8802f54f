// The offsets of a broadcasting consumer: one small file in a directory of its own.
//
// Owns the directory's lock (file `lock`) while it lives, so that two consumers can't overwrite each other.
// `save` replaces the file as a whole: new file, fsync, rename, fsync of the directory; after a crash there
// is the old or the new state, never a mixture. Text, one queue a line: offset, queue, broker, topic, and a
// last line with a CRC-32C of all before it.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "client/message.hpp"

#include <filesystem>
#include <map>

namespace holdfast::client {

class offset_file {
  public:
    using offsets = std::map<message_queue, queue_offset>;

    // Creates the directory when missing; unavailable when another process has it, corrupted when the file
    // does not hold what was saved (then a person must decide: it is never taken for "no offsets yet").
    static result<offset_file> open(const std::filesystem::path& directory, std::string_view group);
    offset_file(offset_file&& other) noexcept;
    offset_file& operator=(offset_file&&) = delete;
    ~offset_file();

    [[nodiscard]] const offsets& loaded() const { return loaded_; }
    // Durable when it returns success.
    result<void> save(const offsets& all) const;

  private:
    offset_file(std::filesystem::path directory, std::filesystem::path path, int lock)
        : directory_(std::move(directory)), path_(std::move(path)), lock_(lock) {}

    std::filesystem::path directory_;
    std::filesystem::path path_;
    int lock_;
    offsets loaded_;
};

} // namespace holdfast::client
