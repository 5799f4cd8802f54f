#include "storage/position_file.hpp"

#include "base/checksum.hpp"

namespace holdfast::storage {

namespace {

constexpr std::uint32_t format_version = 1;
constexpr std::size_t file_size = 32;
constexpr std::size_t first_checked_byte = 8;

} // namespace

error damaged(const position_file& which, const std::string& what) {
    return {errc::corrupted,
            which.name.string() + ": " + what + ". " + which.meaning + " Nothing was changed."};
}

result<void> write_positions(file_system& files, const position_file& which, position_pair what) {
    std::byte bytes[file_size]{};
    store_little(bytes, which.magic);
    store_little(bytes + 8, format_version);
    store_little(bytes + 16, what.first);
    store_little(bytes + 24, what.second);
    store_little(bytes + 4, crc32c(std::span{bytes}.subspan(first_checked_byte)));
    return replace_file(files, which.name, bytes);
}

result<std::optional<position_pair>> read_positions(file_system& files, const position_file& which) {
    const auto read = read_file(files, which.name, file_size);
    if (!read && read.failure().code == errc::not_found)
        return std::optional<position_pair>{};
    if (!read && read.failure().code != errc::too_large)
        return read.failure();
    if (!read || read->size() != file_size || load_little<std::uint32_t>(read->data()) != which.magic)
        return damaged(which, "not the file that belongs here");
    const byte_view bytes{*read};
    if (crc32c(bytes.subspan(first_checked_byte)) != load_little<std::uint32_t>(bytes.data() + 4))
        return damaged(which, "the checksum does not hold");
    if (const auto version = load_little<std::uint32_t>(bytes.data() + 8); version != format_version)
        return error{errc::not_supported, which.name.string() + ": format version " +
                                              std::to_string(version) + ", this build reads " +
                                              std::to_string(format_version)};
    return std::optional{position_pair{load_little<std::uint64_t>(bytes.data() + 16),
                                       load_little<std::uint64_t>(bytes.data() + 24)}};
}

} // namespace holdfast::storage
