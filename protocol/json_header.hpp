// The hand-made scanner for JSON headers (protocol reference 1.1).
//
// Every request of a stock client begins with 300-500 bytes of JSON; a document parser takes longer for them
// than the broker for all the rest. This one knows the grammar of a header and nothing else, makes one pass,
// and leaves texts where they are unless an escape must be undone. Tests hold it against nlohmann::json.
#pragma once

#include "protocol/remoting_command.hpp"

namespace holdfast::protocol {

class json_header_scanner {
  public:
    json_header_scanner(std::string_view text, remoting_command& into)
        : first_(text.data()), at_(first_), last_(first_ + text.size()), into_(into) {}

    result<void> scan();

  private:
    // These return false after noting what is wrong at which byte.
    bool scan_header();
    bool scan_member(std::string_view key);
    bool scan_fields();
    bool scan_field(std::string_view name);
    bool scan_language();
    bool scan_remark();
    bool scan_int32(const char* complaint, std::int32_t& to);
    bool scan_number(std::string_view& raw);
    bool scan_string(std::string_view& to);
    bool scan_word(std::string_view word);
    bool skip_value(std::size_t depth);
    bool skip_members(std::size_t depth);
    bool skip_elements(std::size_t depth);

    // Past white space: an object's next key and its colon, or `at_end` at the closing brace.
    bool next_key(bool& is_first, std::string_view& key, bool& at_end);
    bool take_letter_key(std::string_view& key);
    bool unescape(const char* piece_first, std::string_view& to);
    bool unescape_one(char*& out);
    bool scan_hex4(std::uint32_t& unit);

    void skip_space();
    [[nodiscard]] bool at(char wanted) const { return at_ != last_ && *at_ == wanted; }
    bool take(char wanted, const char* what);
    bool fail(const char* what, errc code = errc::malformed);

    const char* first_;
    const char* at_;
    const char* last_;
    remoting_command& into_;
    char* scratch_ = nullptr; // where the next unescaped text goes
    const char* failure_ = nullptr;
    errc failure_code_ = errc::malformed;
};

} // namespace holdfast::protocol
