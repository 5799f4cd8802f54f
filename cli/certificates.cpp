#include "cli/certificates.hpp"

#include "config/parse_value.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

namespace holdfast::cli {

namespace {

namespace fs = std::filesystem;

template <auto Free>
struct freed_by {
    template <class T>
    void operator()(T* what) const {
        Free(what);
    }
};
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using extension_ptr = std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free>>;

struct identity {
    key_ptr key;
    certificate_ptr certificate;
};

// What OpenSSL says of its last failure; empties its queue of errors.
std::string openssl_words() {
    std::array<char, 256> text{};
    const auto code = ERR_get_error();
    ERR_error_string_n(code, text.data(), text.size());
    ERR_clear_error();
    return code == 0 ? "no reason given" : text.data();
}

error openssl_failure(const std::string& what) {
    return {errc::internal, what + " failed: " + openssl_words()};
}

error system_failure(const std::string& what, int number) {
    return {number == EACCES || number == EPERM ? errc::permission_denied : errc::io_failed,
            what + ": " + std::generic_category().message(number)};
}

bool add_extension(X509* to, X509* issuer, int which, const std::string& value) {
    X509V3_CTX context{};
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
    const extension_ptr made{X509V3_EXT_conf_nid(nullptr, &context, which, value.c_str())};
    return made != nullptr && X509_add_ext(to, made.get(), -1) == 1;
}

// A certificate for `key`, complete but for its issuer, extensions and signature.
certificate_ptr bare_certificate(const std::string& common_name, EVP_PKEY* key, int days) {
    constexpr long clocks_differ_by_s = 3'600; // a node whose clock is a little behind accepts it at once
    constexpr long day_s = 86'400;
    certificate_ptr made{X509_new()};
    std::array<unsigned char, 16> serial{};
    if (made == nullptr || RAND_bytes(serial.data(), static_cast<int>(serial.size())) != 1)
        return nullptr;
    serial[0] = static_cast<unsigned char>((serial[0] & 0x7FU) | 0x40U); // positive, always 16 bytes
    const std::unique_ptr<BIGNUM, freed_by<BN_free>> number{
        BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr)};
    const auto* const name = reinterpret_cast<const unsigned char*>(common_name.c_str());
    const bool good =
        number != nullptr && X509_set_version(made.get(), X509_VERSION_3) == 1 &&
        BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(made.get())) != nullptr &&
        X509_gmtime_adj(X509_getm_notBefore(made.get()), -clocks_differ_by_s) != nullptr &&
        X509_gmtime_adj(X509_getm_notAfter(made.get()), days * day_s) != nullptr &&
        X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "O", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>("Holdfast"), -1, -1, 0) == 1 &&
        X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8, name, -1, -1, 0) ==
            1 &&
        X509_set_pubkey(made.get(), key) == 1;
    return good ? std::move(made) : nullptr;
}

bool sign(X509* what, const X509* issuer, EVP_PKEY* with) {
    return X509_set_issuer_name(what, X509_get_subject_name(issuer)) == 1 &&
           X509_sign(what, with, EVP_sha256()) != 0;
}

result<std::string> pem_of(const identity& from, bool of_key) {
    const bio_ptr memory{BIO_new(BIO_s_mem())};
    const bool written =
        memory != nullptr && (of_key ? PEM_write_bio_PKCS8PrivateKey(memory.get(), from.key.get(), nullptr,
                                                                     nullptr, 0, nullptr, nullptr) == 1
                                     : PEM_write_bio_X509(memory.get(), from.certificate.get()) == 1);
    if (!written)
        return openssl_failure("writing PEM");
    char* data = nullptr;
    const auto size = BIO_get_mem_data(memory.get(), &data);
    return std::string{data, static_cast<std::size_t>(size)};
}

// A new file with these bytes; already_exists when there is one.
result<void> write_new(const fs::path& path, const std::string& bytes, mode_t mode) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0 && errno == EEXIST)
        return error{errc::already_exists,
                     path.string() +
                         " exists already and is not overwritten; move it away or choose another --out"};
    if (file < 0)
        return system_failure(path.string() + " can't be written", errno);
    std::size_t done = 0;
    int failure = 0;
    while (done < bytes.size() && failure == 0) {
        const auto count = ::write(file, bytes.data() + done, bytes.size() - done);
        if (count >= 0)
            done += static_cast<std::size_t>(count);
        else if (errno != EINTR)
            failure = errno;
    }
    if (::close(file) != 0 && failure == 0)
        failure = errno;
    if (failure == 0)
        return {};
    ::unlink(path.c_str());
    return system_failure(path.string() + " can't be written", failure);
}

result<void> make_folder(const fs::path& folder) {
    std::error_code failure;
    fs::create_directories(folder, failure);
    if (failure || !fs::is_directory(folder, failure))
        return error{errc::io_failed, folder.string() + " can't be made a directory: " +
                                          (failure ? failure.message() : "there is a file of that name")};
    return {};
}

// Both files, or none.
result<void> write_pair(const pem_pair& to, const identity& from) {
    constexpr mode_t owner_only = 0600;
    constexpr mode_t readable = 0644;
    const auto key = pem_of(from, /*of_key=*/true);
    const auto certificate = pem_of(from, /*of_key=*/false);
    if (!key || !certificate)
        return key ? certificate.failure() : key.failure();
    if (auto written = write_new(to.key, *key, owner_only); !written)
        return written;
    auto written = write_new(to.certificate, *certificate, readable);
    if (!written)
        ::unlink(to.key.c_str());
    return written;
}

result<std::string> read_file(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file)
        return error{errc::not_found, path.string() + " can't be read; `holdfast cert ca --out " +
                                          path.parent_path().string() + "` makes an authority"};
    return std::string{std::istreambuf_iterator<char>{file}, {}};
}

result<identity> read_authority(const pem_pair& from) {
    const auto certificate_text = read_file(from.certificate);
    const auto key_text = read_file(from.key);
    if (!certificate_text || !key_text)
        return certificate_text ? key_text.failure() : certificate_text.failure();
    const auto memory_of = [](const std::string& text) {
        return bio_ptr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
    };
    identity authority;
    authority.certificate.reset(
        PEM_read_bio_X509(memory_of(*certificate_text).get(), nullptr, nullptr, nullptr));
    if (authority.certificate == nullptr)
        return error{errc::malformed,
                     from.certificate.string() + " is no PEM certificate: " + openssl_words()};
    // An empty passphrase rather than a question on the terminal.
    authority.key.reset(
        PEM_read_bio_PrivateKey(memory_of(*key_text).get(), nullptr, nullptr, const_cast<char*>("")));
    if (authority.key == nullptr)
        return error{errc::malformed,
                     from.key.string() + " is no PEM private key without passphrase: " + openssl_words()};
    if (X509_check_private_key(authority.certificate.get(), authority.key.get()) != 1) {
        ERR_clear_error();
        return error{errc::invalid_argument,
                     from.key.string() + " is not the key of " + from.certificate.string()};
    }
    if (X509_check_ca(authority.certificate.get()) == 0)
        return error{errc::invalid_argument,
                     from.certificate.string() + " is not an authority's certificate"};
    if (X509_cmp_current_time(X509_get0_notAfter(authority.certificate.get())) <= 0)
        return error{errc::invalid_argument, from.certificate.string() + " has expired"};
    return authority;
}

// The same certificate may be there already, another one may not.
result<void> copy_authority(const fs::path& from, const fs::path& to) {
    const auto text = read_file(from);
    if (!text)
        return text.failure();
    std::error_code none;
    if (!fs::exists(to, none))
        return write_new(to, *text, 0644);
    const auto there = read_file(to);
    if (there && *there == *text)
        return {};
    return error{errc::already_exists,
                 to.string() + " is another authority's than " + from.string() + "; choose another --out"};
}

std::string alternative_names(const std::vector<std::string>& hosts) {
    std::string text;
    for (const auto& each : hosts)
        text += fmt::format("{}{}:{}", text.empty() ? "" : ",", config::is_ipv4(each) ? "IP" : "DNS", each);
    return text;
}

} // namespace

pem_pair pair_in(const fs::path& folder, const std::string& name) {
    return {folder / (name + ".crt"), folder / (name + ".key")};
}

result<pem_pair> make_authority(const fs::path& folder, int days) {
    identity made{key_ptr{EVP_EC_gen("P-256")}, nullptr};
    if (made.key == nullptr)
        return openssl_failure("making a key");
    made.certificate = bare_certificate("Holdfast cluster CA", made.key.get(), days);
    auto* const certificate = made.certificate.get();
    if (certificate == nullptr ||
        !add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(certificate, certificate, NID_subject_key_identifier, "hash") ||
        !sign(certificate, certificate, made.key.get()))
        return openssl_failure("making a certificate");
    if (auto there = make_folder(folder); !there)
        return there.failure();
    const auto files = pair_in(folder, "ca");
    if (auto written = write_pair(files, made); !written)
        return written.failure();
    return files;
}

result<pem_pair> make_node_certificate(const node_identity& node, const fs::path& authority,
                                       const fs::path& folder, int days) {
    const auto signer_files = pair_in(authority, "ca");
    const auto signer = read_authority(signer_files);
    if (!signer)
        return signer.failure();
    auto* const issuer = signer->certificate.get();
    identity made{key_ptr{EVP_EC_gen("P-256")}, nullptr};
    if (made.key == nullptr)
        return openssl_failure("making a key");
    made.certificate = bare_certificate(node.name, made.key.get(), days);
    auto* const certificate = made.certificate.get();
    if (certificate == nullptr ||
        !add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth,clientAuth") ||
        !add_extension(certificate, issuer, NID_subject_key_identifier, "hash") ||
        !add_extension(certificate, issuer, NID_authority_key_identifier, "keyid") ||
        !add_extension(certificate, issuer, NID_subject_alt_name, alternative_names(node.hosts)) ||
        !sign(certificate, issuer, signer->key.get()))
        return openssl_failure("making a certificate");
    if (auto there = make_folder(folder); !there)
        return there.failure();
    if (auto copied = copy_authority(signer_files.certificate, pair_in(folder, "ca").certificate); !copied)
        return copied.failure();
    const auto files = pair_in(folder, node.name);
    if (auto written = write_pair(files, made); !written)
        return written.failure();
    return files;
}

} // namespace holdfast::cli
